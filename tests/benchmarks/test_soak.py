"""Short versions of `make soak`."""

import re
import tempfile
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from aiface.faces.finder import YUNET_FILE
from aiface.paths import WEIGHTS
from benchmarks.soak import __main__ as soak
from benchmarks.soak import camera, clients, images, kills, mutate, real, stream, videos, watch, writes
from benchmarks.soak.kills import Turn
from benchmarks.speed.clocks import Row


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path_factory, monkeypatch):
    """Each test, and each process that it starts, has a temporary directory of its own, and leaves no folder in it."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # where it looked before
    yield
    assert [path for path in folder.iterdir() if path.is_dir()] == []  # TensorFlow deletes its files at exit


def test_damaged_pictures_harm_nothing():
    rows = images.measure(300)
    assert [row.met for row in rows] == [True] * 4, rows


def test_damaged_clips_harm_nothing():
    rows = videos.measure(12)
    assert [row.met for row in rows] == [True, True, None], rows


@pytest.mark.parametrize("module", [images, videos])
def test_damage_is_the_same_each_time_and_mostly_damage(module):
    cases = [module.damaged(7, case) for case in range(40)]
    assert cases == [module.damaged(7, case) for case in range(40)]
    assert sum(case not in module.seeds() for case in cases) >= 38
    assert module.damaged(8, 0) != cases[0]


def test_every_kind_of_file_has_numbers_to_falsify():
    rng = np.random.default_rng(0)
    for whole in (*images.seeds(), *videos.seeds()):
        places = list(mutate.fields(whole))
        assert len(places) >= 4
        assert all(0 <= at < len(whole) for at, _ in places)
        assert mutate.mutate(rng, whole, images.seeds())


CHILD = """
import os, sys, tempfile, time
from benchmarks.soak.watch import serve

def attempt(seed, case):
    tempfile.mkdtemp()  # as a case that is killed leaves it
    if case == 3:
        os.abort()
    if case == 5:
        time.sleep(60)
    return "read"

serve(attempt)
"""


def test_a_crash_and_a_hang_are_seen_and_passed_over(tmp_path, monkeypatch):
    (tmp_path / "damaged_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tally = watch.run("damaged_child", 8, 1, tmp_path / "kept.json", limit=3)
    assert (tally.cases, tally.outcomes) == (8, {"read": 6})
    assert re.match("seed 1, case 3: Fatal Python error: Aborted", tally.crashes[0])
    assert tally.hangs == ["seed 1, case 5"]
    again = watch.run("damaged_child", 10, 1, tmp_path / "kept.json", limit=3)  # goes on, not anew
    assert (again.cases, again.outcomes, len(again.crashes)) == (10, {"read": 8}, 1)


def test_endless_frames_take_no_more_than_the_first(monkeypatch):
    monkeypatch.setattr("aiface.analysis.session.PEOPLE", 40)
    found = stream.stream(8000, 4000, lambda line: None)
    assert found["people"] > 100
    assert found["remembered"] == 40
    assert {"ai", "inconclusive"} <= set(found["shown"])
    assert max(look["mib"] for look in found["looks"]) - found["before"]["mib"] < stream.GROWTH
    assert {(look["handles"], look["threads"]) for look in found["looks"]} == {
        (found["before"]["handles"], found["before"]["threads"])
    }


def test_a_killed_training_goes_on(tmp_path):
    """Killed twice, at a moment and inside a save; that the end is the same test_training.py and `make soak` show."""
    crops, run = kills.make_crops(tmp_path), tmp_path / "run"
    first = kills.turn(crops, run, 1, "no progress yet")
    second = kills.turn(crops, run, 2, 0.0)
    third = kills.turn(crops, run, 2, "half a state")
    assert [turn.killed for turn in (first, second, third)] == [True] * 3, first.said
    assert (first.start, first.saved, second.start) == (0, 1, 1)
    assert third.start == max(second.saved, second.start)


ALONE = Turn(False, 0, 24, "a", "")


@pytest.mark.parametrize(
    ("turns", "alone", "met"),
    [
        ([Turn(True, 0, 2, None, ""), Turn(True, 2, 3, None, ""), Turn(False, 3, 24, "a", "")], "aa", [True] * 5),
        ([Turn(True, 0, 2, None, ""), Turn(True, 1, 3, None, ""), Turn(False, 3, 24, "a", "")], "aa",
         [True, True, False, True, True]),
        ([Turn(True, 0, 2, None, ""), Turn(True, 2, 3, None, ""), Turn(False, 3, 24, "b", "")], "ab",
         [True, True, True, False, False]),
        ([Turn(True, 0, 2, None, ""), Turn(False, -1, -1, None, ""), Turn(False, -1, -1, None, "")], "aa",
         [False, False, False, False, True]),
    ],
)  # fmt: skip
def test_how_kills_are_judged(turns, alone, met):
    planned = [(1, 0.5), (2, "before fsync")]
    assert [row.met for row in kills.rows(planned, turns, list(alone))] == met


@pytest.mark.parametrize("kind", writes.KINDS)
@pytest.mark.parametrize("name", [*(name for name in writes.WRITERS if name != "bundle and card"), "shards"])
def test_a_write_that_fails_damages_nothing(tmp_path, name, kind):
    pictures = kills.make_crops(tmp_path).parent / "tree" if name == "shards" else None
    writer = writes.shards_of(pictures) if pictures else writes.WRITERS[name]
    try:
        with writes.small_disk(tmp_path / "disk") as disk:
            assert writes.fault(writer, kind, disk) is None
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("fault", "what"),
    [("blocks", camera.NAMED), ("fails and comes back", camera.BACK), ("blocks", camera.STOPPED),
     ("gives nothing", camera.STOPPED), ("changes its size", camera.STOPPED)],
)  # fmt: skip
def test_a_faulty_camera_before_the_command(fault, what):
    assert camera.fault_of(fault, what)[1] is None


@pytest.mark.parametrize(
    ("found", "fault"),
    [((1.9, 130, "aiface: stopped\n"), None), ((2.1, 130, "aiface: stopped\n"), "blocks: 2.1 s"),
     ((0.2, 1, "Traceback"), "blocks: status 1, 'Traceback'"), ((0.2, -11, "aiface: stopped\n"), "blocks: status -11")],
)  # fmt: skip
def test_how_a_faulty_camera_is_judged(monkeypatch, found, fault):
    monkeypatch.setattr(camera, "watched", lambda *_: found)
    said = camera.fault_of("blocks", camera.STOPPED)[1]
    assert said is fault if fault is None else said.startswith(fault)


@pytest.mark.skipif(not (WEIGHTS / YUNET_FILE).is_file(), reason="MTCNN takes minutes: ./fetch.sh faces")
def test_real_clips_for_a_moment(monkeypatch):
    monkeypatch.setattr(real, "SECONDS", 2)
    times, looks = real.judge(0.1, lambda line: None)
    assert times >= 4
    assert {(look["handles"], look["threads"]) for look in looks} == {(looks[0]["handles"], looks[0]["threads"])}


def test_clients_for_a_moment():
    pytest.importorskip("gradio", reason="the web app needs gradio")
    with clients.app() as (server, port):
        found = clients.besiege(port, 3, clients=12)
        assert server.poll() is None
    assert clients.rows(found, True, 3)[0].met, found
    assert found[clients.REFUSED]  # more came than there are places


@pytest.mark.parametrize(
    ("found", "met"),
    [({"answered": 3, "told that all places are taken": 9}, True), ({"answered": 3, "without an answer": 1}, False),
     ({"answered": 3, "status 500": 1}, False), ({"told that all places are taken": 9}, False)],
)  # fmt: skip
def test_what_came_of_clients(found, met):
    assert clients.rows(Counter(found), True, 1)[0].met is met


@pytest.mark.parametrize(
    ("code", "said", "found", "met"),
    [(0, "ok 1 a\nok 2 b\n", "2 passed", True), (0, "ok 1 a\nok 2 b # skip\n", "1 passed, 1 skipped", None),
     (0, "3 passed, 4 deselected in 1s", "3 passed", True), (0, "2 skipped in 1s", "0 passed, 2 skipped", None),
     (0, "", "no complaints", True), (1, "1 failed, 2 passed", "failed: 1 failed, 2 passed", False),
     (5, "3 deselected in 1s", "failed: 3 deselected in 1s", False)],
)  # fmt: skip
def test_what_tests_say(monkeypatch, code, said, found, met):
    monkeypatch.setattr(soak.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=said, returncode=code))
    row = soak.run_tests(("bats", "a"))
    assert (row.found, row.met) == (found, met)


def test_a_tool_that_is_missing():
    assert soak.run_tests(("no-such-tool",)).found == "not measured: no-such-tool is not installed"


@pytest.mark.parametrize("promise", soak.TESTS)
def test_the_named_tests_exist(promise):
    """Each file and each alternative of `-k`."""
    command = soak.TESTS[promise]
    paths = [soak.ROOT / part for part in command if part.startswith(("tests/", ".ci/"))]
    assert paths
    assert all(path.exists() for path in paths)
    if "-k" in command:
        names = "\n".join(f"{path.stem} {path.read_text()}" for path in paths)
        assert all(re.search(rf"test_\w*{part}", names) for part in command[-1].split(" or ")), command


def test_the_page(tmp_path, monkeypatch):
    parts = {"images": (lambda count, kept: [Row("crashes", str(count), "0", False)], 10, "nothing happens")}
    monkeypatch.setattr(soak, "PARTS", parts)
    monkeypatch.setattr(soak, "TESTS", {"it works": ("bats", "a")})
    monkeypatch.setattr(soak.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="ok 1\nok 2\n", returncode=0))
    for share, written in (("0.5", False), ("1", True)):
        monkeypatch.setattr("sys.argv", ["soak", "--share", share, "--out", str(tmp_path)])
        soak.main()
        assert (tmp_path / "RELIABILITY.md").exists() is written
    page = (tmp_path / "RELIABILITY.md").read_text()
    assert "| nothing happens | `make soak` (images) | crashes | 10 | 0 | missed |" in page
    assert "| it works | `make test` | `bats a` | 2 passed | all | met |" in page
    assert "attacker who adapts" in page
    monkeypatch.setattr(soak, "PARTS", parts | {"videos": (None, 2, "nor here")})
    assert "| nor here | `make soak` (videos) |  | not measured yet |  |  |" in soak.to_markdown({})
