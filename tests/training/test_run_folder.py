import json

import pytest

from aiface.errors import ModelError
from aiface.training.config import TrainConfig
from aiface.training.run_folder import claim, save_state


@pytest.fixture
def run(tmp_path):
    """A folder that a version without `cutmix` made, of a training that has begun."""
    claim(tmp_path, TrainConfig(seed=3))
    kept = json.loads((tmp_path / "config.json").read_text())
    del kept["cutmix"]
    (tmp_path / "config.json").write_text(json.dumps(kept))
    save_state(tmp_path, 1, [], {"epoch": 1})
    return tmp_path


def test_a_choice_that_is_new_had_its_default(run):
    claim(run, TrainConfig(seed=3))


@pytest.mark.parametrize(("change", "named"), [({"cutmix": 0.5}, "cutmix"), ({"dropout": 0.9}, "dropout")])
def test_another_training_is_refused(run, change, named):
    with pytest.raises(ModelError, match=f"differs in {named};"):
        claim(run, TrainConfig(seed=3, **change))


def test_a_choice_that_is_gone_is_named(run):
    kept = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(kept | {"warp": 1}))
    with pytest.raises(ModelError, match="differs in warp;"):
        claim(run, TrainConfig(seed=3))
