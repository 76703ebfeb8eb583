"""Autoencoders of random design: each draws a picture of the size it got, and each real crop is rebuilt by one."""

from dataclasses import replace

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.crop_sets import CropSet, prepare
from aiface.data.folders import scan
from aiface.labels import AI, REAL
from benchmarks.quality import rebuild
from benchmarks.quality.rebuild import UPSAMPLINGS, build, design, main, of_design

DESIGNS = 12


@pytest.fixture(scope="module")
def stored(tmp_path_factory, make_tree):
    root = make_tree(tmp_path_factory.mktemp("tree") / "a", count=4)
    prepare(scan(root), folder := tmp_path_factory.mktemp("stored"), FakeFinder)
    return folder


@pytest.mark.parametrize("seed", range(DESIGNS))
def test_a_design_draws_what_it_got(seed):
    of = design(seed)
    network = build(of, 32)
    assert network.output_shape == (None, 32, 32, 3)
    assert min(layer.output.shape[1] for layer in network.layers if layer.output.ndim == 4) == 32 // of.stride
    whole = build(of, 64)  # weights fit whatever the size
    whole.set_weights(network.get_weights())
    assert design(seed) == of


def test_designs_differ():
    found = [design(seed) for seed in range(DESIGNS)]
    assert len({one.name for one in found}) == DESIGNS
    assert {one.upsampling for one in found} == set(UPSAMPLINGS)
    assert {one.stride for one in found} == {4, 8, 16}


def test_each_real_crop_outside_test_is_rebuilt_by_one(stored):
    crops = CropSet(stored)
    parts = [of_design(crops, number, 3) for number in range(3)]
    rebuilt = [row for part in parts for row in part.rows]
    assert sorted(row.path for row in rebuilt) == sorted(
        row.path for row in crops.rows if row.label == REAL and row.split != "test"
    )


def test_reconstructions_bear_their_originals_hash_and_are_resumed(stored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rebuild, "design", lambda seed: replace(design(1), seed=seed, width=4, latent=2))
    arguments = [str(stored), str(tmp_path), "--designs", "2", "--steps", "2", "--learn-from", "a"]
    main(arguments)
    real, rebuilt = CropSet(stored), CropSet(tmp_path)
    kept = {row.sha256: (row.path, row.split) for row in real.rows if row.label == REAL and row.split != "test"}
    assert {row.sha256: (row.path, row.split) for row in rebuilt.rows} == kept
    assert set(rebuilt.labels.tolist()) == {AI}
    assert rebuilt[0].shape == (256, 256, 3)
    assert np.ptp(rebuilt[0]) > 0
    assert capsys.readouterr().out.count("loss") == 2
    (tmp_path / "crops-00001.csv").unlink()
    main(arguments)
    assert capsys.readouterr().out == ""  # weights are kept: nothing is trained again
    assert len(CropSet(tmp_path)) == len(rebuilt)
