import io
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from bundles import crops, network, save

from aiface.faces.crop import CROP_SIZE
from aiface.models.bundle import load_network
from aiface.models.keras_import import keras
from aiface.models.openvino_runtime import OpenVinoRuntime, convert, converted, pack, unpack
from aiface.paths import ROOT

HASH = "ab" * 32


class Loader:
    """Loads the network, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return network()


@pytest.fixture(scope="module")
def expected():
    return OpenVinoRuntime(unpack(convert(network())), "f32")(crops(3))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "aiface"


def logits(loader, sha256=HASH):
    return OpenVinoRuntime(converted(sha256, loader), "f32")(crops(3))


def test_a_network_is_converted_once(cache, expected):
    loader = Loader()
    for _ in range(3):
        np.testing.assert_array_equal(logits(loader), expected)
    assert loader.calls == 1
    assert [path.name for path in cache.iterdir()] == [f"{HASH}-openvino-{version('openvino')}-f32.zip"]


@pytest.mark.parametrize("change", ["network", "openvino"])
def test_another_network_or_openvino_has_an_entry_of_its_own(cache, monkeypatch, change):
    loader = Loader()
    logits(loader)
    if change == "openvino":
        monkeypatch.setattr("aiface.models.openvino_runtime.version", lambda name: "2027.1.0")
    logits(loader, "cd" * 32 if change == "network" else HASH)
    assert loader.calls == 2
    assert len(list(cache.iterdir())) == 2


def with_a_bit_flipped(at):
    def damage(content):
        position = int(at * len(content))
        return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]

    return damage


def of_parts(**parts):
    def damage(content):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in parts.items():
                archive.writestr(f"network.{name}", data)
        return packed.getvalue()

    return damage


DAMAGES = {
    "empty": lambda content: b"",
    "torn": lambda content: content[: len(content) // 2],
    "torn at the end": lambda content: content[:-1],
    "bit in the graph": with_a_bit_flipped(0.3),
    "bit in the weights": lambda content: content.replace(weights := part(content, "bin"), flipped(weights)),
    "bit in the directory": with_a_bit_flipped(0.999),
    "no zip": lambda content: b"something else",
    "a part missing": of_parts(xml=b""),
    "not a network": of_parts(xml=b"<net/>", bin=b""),
}


def part(content, name):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(f"network.{name}")


def flipped(data):
    return with_a_bit_flipped(0.5)(data)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again(cache, expected, damage):
    loader = Loader()
    logits(loader)
    (entry,) = cache.iterdir()
    content = entry.read_bytes()
    damaged = DAMAGES[damage](content)
    assert damaged != content
    entry.write_bytes(damaged)
    for _ in range(2):
        np.testing.assert_array_equal(logits(loader), expected)
    assert loader.calls == 2
    unpack(entry.read_bytes())


def a_file_in_its_place(cache, monkeypatch):
    cache.parent.write_text("no folder")


def a_folder_in_the_entrys_place(cache, monkeypatch):
    (cache / f"{HASH}-openvino-{version('openvino')}-f32.zip").mkdir(parents=True)


def a_full_disk(cache, monkeypatch):
    def write_bytes(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


@pytest.mark.parametrize("damage", [a_file_in_its_place, a_folder_in_the_entrys_place, a_full_disk])
def test_without_a_cache_the_network_is_converted_each_time(cache, monkeypatch, expected, capfd, damage):
    damage(cache, monkeypatch)
    loader = Loader()
    for _ in range(2):
        np.testing.assert_array_equal(logits(loader), expected)
    assert loader.calls == 2
    assert capfd.readouterr().err == ""
    assert not [path for path in cache.parent.rglob("*") if path.is_file()]


def test_processes_that_convert_at_once_end_well(cache, tmp_path):
    folder = save(tmp_path / "bundle")
    code = "import sys, numpy as np; from aiface.models.detector import load_detector; sys.stdin.read(1)\n"
    code += "print(load_detector(sys.argv[1], precision='f32').logits(np.zeros((1, 256, 256, 3), np.uint8))[0])"
    command = [sys.executable, "-c", code, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    racers = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(3)]
    for racer in racers:
        racer.stdin.write("!")
        racer.stdin.flush()
    results = [racer.communicate(timeout=300) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], results
    assert len({printed for printed, _ in results}) == 1
    assert {told for _, told in results} == {""}
    assert len(list(cache.iterdir())) == 1


def test_packing_loses_nothing(expected):
    model = unpack(pack(unpack(convert(network()))))
    np.testing.assert_array_equal(OpenVinoRuntime(model, "f32")(crops(3)), expected)


@pytest.mark.parametrize("view", [lambda x: x[:, :, ::-1], lambda x: x.swapaxes(1, 2), lambda x: x[::2]])
def test_crops_need_not_lie_in_one_piece(view):
    runtime, images = OpenVinoRuntime(unpack(convert(network()))), crops(4)
    np.testing.assert_array_equal(runtime(view(images)), runtime(view(images).copy()))


def test_threads_can_share_a_runtime():
    runtime, images = OpenVinoRuntime(unpack(convert(network()))), crops(4)
    expected = runtime(images)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(runtime, [images] * 12):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("precision", "name"), [("f32", "f32"), ("int8", "int8"), ("auto", ("f32", "bf16", "f16"))])
def test_the_precision_is_said(precision, name):
    said = OpenVinoRuntime(unpack(convert(network())), precision).name
    assert said.startswith(f"OpenVINO {version('openvino')}, ")
    assert said.endswith(name)


def test_openvino_reports_to_nobody(tmp_path):
    """Imported as it is, it leaves an identifier in the user's home and sends a message to Google Analytics."""
    code = "import aiface.models.openvino_runtime, sys\n"
    code += "print([m for m in sys.modules if m.startswith('openvino_telemetry.')])"
    home = os.environ | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "[]\n", "")
    assert not (tmp_path / "intel").exists()


def test_a_converted_network_keeps_its_layout():
    (image,), (logit,) = (model := unpack(convert(network()))).inputs, model.outputs
    assert (str(image.get_partial_shape()), image.get_element_type().to_string()) == ("[?,256,256,3]", "u8")
    assert str(logit.get_partial_shape()) == "[?,1]"


def test_maps_that_are_enlarged_leave_no_output_behind():
    image = keras.Input((CROP_SIZE, CROP_SIZE, 3), dtype="uint8")
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(keras.layers.Rescaling(1 / 255)(image))
    enlarging = keras.Model(image, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x)))
    model = unpack(convert(enlarging))
    assert [output.partial_shape.to_string() for output in model.outputs] == ["[?,1]"]
    found = OpenVinoRuntime(model, "f32")(crops(3))
    np.testing.assert_allclose(found, enlarging.predict_on_batch(crops(3))[:, 0], rtol=1e-4)


def test_a_bundle_saved_and_loaded_converts(tmp_path, expected):
    model = load_network(save(tmp_path / "bundle"))
    np.testing.assert_allclose(OpenVinoRuntime(unpack(convert(model)), "f32")(crops(3)), expected, atol=2e-3)


class Stopped(list):
    """Crops that somebody interrupts after the last."""

    def __iter__(self):
        yield from super().__iter__()
        raise KeyboardInterrupt


def test_what_was_interrupted_leaves_nothing_behind(expected):
    runtime = OpenVinoRuntime(unpack(convert(network())), "f32")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            runtime(Stopped(crops(9, seed=5)))
        np.testing.assert_array_equal(runtime(crops(3)), expected)
