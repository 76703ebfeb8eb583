"""Both notebooks, executed headlessly on small data, and what keeps them readable."""

import json
import os
from dataclasses import fields

import nbformat
import numpy as np
import papermill
import pytest

from aiface.apps.demo import astronaut_clip
from aiface.apps.notebooks.runner import execute
from aiface.errors import AifaceError
from aiface.io.files import shown
from aiface.models.detector import load_detector
from aiface.paths import ROOT
from aiface.training.config import TrainConfig
from aiface.video.opening import open_video

NOTEBOOKS = ("train.ipynb", "inference.ipynb")
SMALL = {
    "BACKBONE": "mobilenet_v2", "INIT": "from-scratch", "HEAD_EPOCHS": 1, "EPOCHS": 1, "WHOLE_EPOCHS": 1,
    "STEPS_PER_EPOCH": 2, "BATCH_SIZE": 4, "WINDOW": 64, "VERBOSE": 2, "TRAINED_ON": "pictures made by code",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_tree):
    """The notebook train.ipynb executed on a made-up tree: the executed file and the bundle that it saved."""
    root = tmp_path_factory.mktemp("train")
    make_tree(root / "faces")
    places = {"DATA": [str(root / "faces")], "CROPS": str(root / "crops"), "RUN": str(root / "run")}
    bundle = root / "bundle"
    executed = execute("train.ipynb", root / "train.ipynb", places | SMALL | {"BUNDLE": str(bundle)})
    return nbformat.read(executed, 4), bundle, places | SMALL | {"BUNDLE": str(bundle)}, root


def outputs(notebook):
    """All that an executed notebook printed, and the number of its pictures."""
    cells = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in cells)
    return text, sum("image/png" in output.get("data", {}) for output in cells)


def test_training_saves_a_detector_with_its_card(trained):
    notebook, bundle, _, _ = trained
    text, pictures = outputs(notebook)
    card = load_detector(bundle).card
    assert card["metrics"]["test"]["n_real"] > 0
    assert "pictures made by code" in card["training"]["summary"]
    assert card["training"]["config"]["steps_per_epoch"] == 2
    assert "| all |" in text
    assert pictures == 4  # samples, windows, history, performance


def test_training_again_goes_on_from_where_it_stopped(trained):
    """The run has all its epochs, so the second pass trains nothing and saves the same network."""
    _, bundle, parameters, root = trained
    weights = [np.array(w) for w in load_detector(bundle).network.get_weights()]
    again = nbformat.read(execute("train.ipynb", root / "again.ipynb", parameters), 4)
    assert "ms/step" not in outputs(again)[0]
    for before, after in zip(weights, load_detector(bundle).network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_clip_is_judged(trained, tmp_path):
    _, bundle, _, _ = trained
    clip = astronaut_clip(tmp_path / "clip one.mp4", seconds=1.2)
    parameters = {"SOURCE": str(clip), "OUT": str(tmp_path), "DETECTOR": str(bundle)}
    text, pictures = outputs(nbformat.read(execute("inference.ipynb", tmp_path / "done.ipynb", parameters), 4))
    report = json.loads((tmp_path / "clip-one-mp4" / "report.json").read_text(encoding="utf-8"))
    assert len(report["people"]) == 1
    assert report["people"][0]["faces"] == 7  # 1.2 s at 5 a second, and the last frame
    assert report["summary"][0] in text
    assert report["plays"] == "annotated.mp4"
    (row,) = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))["inputs"]
    assert (row["report"], row["annotated"]) == ("clip-one-mp4/report.html", "clip-one-mp4/annotated.mp4")
    assert pictures == 2  # timeline, gallery
    with open_video(clip) as before, open_video(tmp_path / "clip-one-mp4" / "annotated.mp4") as after:
        assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=1e-3)


@pytest.mark.parametrize("folder", [os.fsdecode(b"caf\xe9"), "{a} b", 'quoted "c" \\'])
def test_names_of_any_kind_reach_a_notebook(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    cells = [
        nbformat.v4.new_code_cell("SOURCE = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("from pathlib import Path\nPath(SOURCE, 'written').touch()\nprint(SOURCE)"),
    ]
    language = {"language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=language), tmp_path / "small.ipynb")
    (tmp_path / folder).mkdir()
    place = tmp_path / folder / "done.ipynb"
    assert execute(str(tmp_path / "small.ipynb"), place, {"SOURCE": str(tmp_path / folder)}) == place
    assert (tmp_path / folder / "written").exists()
    assert outputs(nbformat.read(place, 4))[0] == shown(f"{tmp_path / folder}\n")


def test_a_notebook_that_fails_names_its_error(tmp_path):
    (tmp_path / "no.mp4").write_text("not a video")
    parameters = {"SOURCE": str(tmp_path / "no.mp4"), "OUT": str(tmp_path)}
    with pytest.raises(AifaceError, match=r"VideoError: .*no\.mp4: expected a video"):
        execute("inference.ipynb", tmp_path / "done.ipynb", parameters)


def test_a_notebook_whose_process_is_killed_names_its_error(tmp_path, monkeypatch):
    """It is reached wherever it was called from, so beside others, too."""
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "dies.ipynb")
    with pytest.raises(
        AifaceError, match=r"done\.ipynb: expected the notebook to run to its end, found its process ended"
    ):
        execute(str(tmp_path / "dies.ipynb"), tmp_path / "done.ipynb", {})


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_hold_a_story_and_no_outputs(name):
    notebook = nbformat.read(ROOT / name, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.metadata.get("tags") for cell in code].count(["parameters"]) == 1
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code if not cell.metadata.get("tags")) <= 17
    assert "imshow" not in "".join(cell.source for cell in code)
    assert notebook.cells[0].cell_type == "markdown"


def test_a_recipe_can_name_every_choice_of_a_training():
    """Phases are named by the epochs, rates and window that they are made of."""
    parameters = papermill.inspect_notebook(ROOT / "train.ipynb")
    choices = {field.name.upper(): field.default for field in fields(TrainConfig) if field.name != "phases"}
    assert set(choices) <= set(parameters)
    source = next(cell.source for cell in nbformat.read(ROOT / "train.ipynb", 4).cells if "TrainConfig(" in cell.source)
    for name in set(choices) - {"BACKBONE", "INIT", "BATCH_SIZE", "STEPS_PER_EPOCH"}:
        assert f"{name.lower()}={name}" in source, name


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_parameter_says_what_it_is(name):
    parameters = papermill.inspect_notebook(ROOT / name)
    assert len(parameters) >= 5
    assert [name for name, each in parameters.items() if not each["help"]] == []


def test_the_test_split_is_opened_after_everything_was_chosen():
    source = [cell.source for cell in nbformat.read(ROOT / "train.ipynb", 4).cells if cell.cell_type == "code"]
    opened = next(i for i, cell in enumerate(source) if 'split("test")' in cell)
    assert not any("test" in cell for cell in source[:opened] if "calibration.fit" in cell or "train(" in cell)
    assert max(i for i, cell in enumerate(source) if "calibration.fit" in cell or " train(" in cell) < opened


def test_devices_are_joined_first_and_what_one_process_does_alone_comes_after_the_others_left():
    source = [cell.source for cell in nbformat.read(ROOT / "train.ipynb", 4).cells if cell.cell_type == "code"]
    assert "join(DEVICES)" in source[1]
    (left,) = (i for i, cell in enumerate(source) if cell.endswith("devices.leave()"))
    assert "train(" in source[left]
    for word in ("save_bundle(", "calibration.fit(", 'split("test")'):
        assert min(i for i, cell in enumerate(source) if word in cell) > left
    for word in ("shards.prepare(", "audit_report.write("):
        assert all("devices.first:" in cell for cell in source if word in cell)
