import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from types import SimpleNamespace

import av
import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from aiface.models.keras_import import keras
from aiface.models.network import build
from aiface.paths import ROOT
from aiface.video.opening import open_video
from benchmarks.scenes import RATE, Broadcast, repeat_clip, write_clip
from benchmarks.speed import bounds, clip_speed
from benchmarks.speed.bench import to_markdown
from benchmarks.speed.clocks import Row, Spread, Turns, at_least, at_most
from benchmarks.speed.roofline import flops


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("bench") / "clip.mp4", 1.0)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (at_least("speed", Spread.of([6, 7, 9]), 7), True),
        (at_least("speed", Spread.of([6, 6.9, 90]), 7), False),
        (at_most("latency", Spread.of([10, 80, 200]), 80, " ms"), True),
        (at_most("latency", Spread.of([10, 81, 82]), 80, " ms"), False),
    ],
)
def test_a_bar_is_held_against_the_median(row, met):
    assert row.met is met


def test_turns_are_interleaved_after_one_call_unmeasured():
    called = []
    turns = Turns({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 3, {"a": 2.0})
    assert "".join(called) == "ab" * 4
    assert {name: found.shape for name, found in turns.seconds.items()} == {"a": (3,), "b": (3,)}


def test_a_ratio_is_taken_within_each_turn():
    turns = Turns({"slow": lambda: None, "fast": lambda: None}, 1)
    turns.seconds = {"slow": np.array([2.0, 40.0, 6.0]), "fast": np.array([1.0, 10.0, 2.0])}
    assert turns.ratio("slow", "fast") == Spread.of([2, 4, 3])
    assert turns.milliseconds("fast").median == 2000


def test_flops_are_two_for_each_multiplication():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)  # 8 * 8 * 4 outputs of 27
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)  # 4 * 4 * 4 of 9
    x = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))  # 1 of 4
    assert flops(keras.Model(image, x)) == 2 * (64 * 4 * 27 + 16 * 4 * 9 + 4)


@pytest.mark.parametrize(("backbone", "giga"), [("mobilenet_v2", 0.60), ("densenet121", 5.67)])
def test_flops_of_the_backbones_are_those_of_their_papers(backbone, giga):
    assert flops(build(backbone, 224)) / 1e9 == pytest.approx(giga, rel=0.03)


def test_a_clip_has_its_length_and_b_frames_and_can_be_repeated(clip, tmp_path):
    with av.open(str(clip)) as container:
        assert any(frame.pict_type == av.video.frame.PictureType.B for frame in container.decode(video=0))
    with open_video(repeat_clip(clip, tmp_path / "long.mp4", 3)) as video:
        times = [at for at, _ in video.pictures()]
    np.testing.assert_allclose(times, np.arange(3 * RATE) / RATE, atol=1e-3)


@pytest.mark.parametrize(
    ("shown", "changes"),
    [("rrrrrr", 0), ("airrrr", 0), ("rrraaa", 1), ("rrrara", 3), ("rrr-rr", 2)],  # the first two are before 2 s
)
def test_steadiness_counts_changes_once_settled(monkeypatch, shown, changes):
    def analyze(clip, finder, detector, on_sample):
        for second, letter in enumerate(shown):
            verdict = None if letter == "-" else SimpleNamespace(answer=letter)
            frame, session = SimpleNamespace(time=second), SimpleNamespace(shown=lambda seen, found=verdict: [found])
            on_sample(frame, [(SimpleNamespace(id=7), None)], session)

    monkeypatch.setattr(clip_speed, "analyze_video", analyze)
    monkeypatch.setattr(clip_speed, "load_finder", lambda weights: None)
    (row,) = clip_speed.steadiness(None, None)
    assert (row.found, row.met) == (str(changes), changes == 0)


def test_memory_held_is_that_of_a_process_and_its_children():
    child = "import sys; held = bytearray(50 << 20); print(flush=True); sys.stdin.read()"
    own = clip_speed.held_mib(os.getpid())
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 50 < clip_speed.held_mib(process.pid) < 90
        assert own + 50 < clip_speed.held_mib(os.getpid())
        process.stdin.close()
    assert clip_speed.held_mib(process.pid) == 0


def test_a_broadcast_doesnt_wait(clip):
    with Broadcast([np.zeros((8, 8, 3), np.uint8)], 0.3) as video:
        video.start()
        assert all(at < 0.3 for at, _ in video.pictures())


def test_the_page_names_what_was_met_and_missed():
    rows = [vars(Row("a", "1", "2", False)), vars(Row("b", "3", ">= 2", True)), vars(Row("c", "4"))]
    about = {"machine": "a box", "detector": "0123abcd"}
    text = to_markdown(about | {"rows": rows, "clips": [["x.mp4", "ai, 0.9", "ai, 0.8", "9", "40"]]})
    for line in (
        "| a | 1 | 2 | missed |",
        "| b | 3 | >= 2 | met |",
        "| c | 4 |  |  |",
        "Machine: a box.",
        "sha256 is `0123abcd`",
    ):
        assert line in text
    assert "| x.mp4 | ai, 0.9 | ai, 0.8 | 9 | 40 |" in text
    assert "not measured" in to_markdown(about | {"rows": rows, "clips": []})


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").rglob("*.py")
}


def imported(source):
    """The full names that a source imports, or their modules', wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def in_order(sources):
    graph = {name: set(imported(source)) & set(sources) for name, source in sources.items()}
    return list(TopologicalSorter(graph).static_order())


def test_no_benchmark_imports_what_imports_it():
    order = in_order(MODULES)
    assert (
        order.index("benchmarks.speed.clocks")
        < order.index("benchmarks.speed.scaling")
        < order.index("benchmarks.speed.bench")
    )


@pytest.mark.parametrize("back", ["import a", "def late():\n    from a import x", "from a.b import x"])
def test_a_circle_is_seen(back):
    with pytest.raises(CycleError):
        in_order({"a": "from c import x", "a.b": "import a", "c": back})


@pytest.mark.parametrize(
    ("given", "weights", "operation", "expected"),
    [
        ((2, 3), (3, 4), lambda x, w: ops.matmul(x, w, False, False), 2 * 24),
        ((1, 2, 4, 4), (5, 2, 3, 3), lambda x, w: ops.convolution(x, w, [1, 1], [1, 1], [1, 1], [1, 1]), 2 * 80 * 18),
        ((1, 2, 4, 4), (5, 2, 3, 3), lambda x, w: ops.convolution(x, w, [2, 2], [1, 1], [1, 1], [1, 1]), 2 * 20 * 18),
        ((1, 4, 4, 4), (4, 1, 1, 3, 3), lambda x, w: ops.group_convolution(x, w, [1, 1], [1, 1], [1, 1], [1, 1]),
         2 * 64 * 9),
        ((2, 3), (2, 3), ops.add, 0),
    ],
)  # fmt: skip
def test_operations_of_a_network(given, weights, operation, expected):
    picture = ops.parameter(list(given), np.float32)
    model = openvino.Model([operation(picture, ops.constant(np.ones(weights, np.float32)))], [picture])
    assert bounds.flops(model) == expected
