"""Codecs of random design draw a face anew, and leave traces; each real crop is rebuilt by one of them."""

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.crop_sets import CropSet, prepare
from aiface.data.folders import scan
from aiface.labels import AI, REAL
from benchmarks.quality.codecs import drawn, fitted, windows
from benchmarks.quality.rebuild import main, of_codec


@pytest.fixture(scope="module")
def stored(tmp_path_factory, make_tree):
    root = make_tree(tmp_path_factory.mktemp("tree") / "a", count=4)
    prepare(scan(root), folder := tmp_path_factory.mktemp("stored"), FakeFinder)
    return folder


@pytest.fixture(scope="module")
def faces(stored):
    crops = CropSet(stored)
    return [crops[int(index)] for index in np.flatnonzero(crops.labels == REAL)]


@pytest.mark.parametrize(
    ("stride", "channels", "margin", "hidden", "error"),
    [(4, 48, 0, 0, 1.5), (4, 8, 1, 30, 12), (8, 20, 4, 0, 14), (8, 20, 0, 50, 14), (16, 60, 4, 0, 16)],
    ids=["all that there is", "stride 4", "stride 8 and a margin", "a hidden layer", "stride 16"],
)
def test_a_codec_draws_the_face_it_got(faces, stride, channels, margin, hidden, error):
    codec = fitted(stride, channels, margin, hidden, faces[:6], 0)
    rebuilt = codec(faces[0])
    assert (rebuilt.shape, rebuilt.dtype) == ((256, 256, 3), np.uint8)
    assert np.abs(rebuilt.astype(int) - faces[0]).mean() < error
    assert codec.latents(faces[0]).shape == (256 // stride, 256 // stride, channels)


def test_a_window_is_a_block_and_its_margin(faces):
    crop = faces[0]
    seen = windows(crop, 8, 2).reshape(32, 32, 3, 12, 12)
    np.testing.assert_array_equal(seen[1, 2], crop[6:18, 14:26].transpose(2, 0, 1) - 127.5)


def test_designs_differ_and_come_again(faces):
    named = [drawn(seed, faces[:3]) for seed in (0, 1, 2, 0)]
    assert [name.split("-")[1].split("x")[0] for name, _ in named] == ["8", "4", "8", "8"]
    assert len({name for name, _ in named}) == 3
    np.testing.assert_array_equal(named[0][1](faces[0]), named[3][1](faces[0]))


def test_each_real_crop_outside_test_is_rebuilt_by_one(stored):
    crops = CropSet(stored)
    rebuilt = [row.path for number in range(3) for row in of_codec(crops, number, 3).rows]
    real = [row.path for row in crops.rows if row.label == REAL and row.split != "test"]
    assert sorted(rebuilt) == sorted(real)
    assert len(of_codec(crops, 0, 2, every=2)) == len(real) // 4


def test_reconstructions_bear_their_originals_hash_and_are_resumed(stored, tmp_path, capsys):
    arguments = [str(stored), str(tmp_path), "--codecs", "2", "--every", "1", "--learn-from", "a"]
    main(arguments)
    real, rebuilt = CropSet(stored), CropSet(tmp_path)
    kept = {row.sha256: (row.path, row.split) for row in real.rows if row.label == REAL and row.split != "test"}
    assert {row.sha256: (row.path, row.split) for row in rebuilt.rows} == kept
    assert set(rebuilt.labels.tolist()) == {AI}
    assert capsys.readouterr().out.count("stored") == 2
    (tmp_path / "crops-00001.csv").unlink()
    main(arguments)
    assert capsys.readouterr().out.count("stored") == 1
    assert [rebuilt[index].tobytes() for index in range(len(rebuilt))] == [
        CropSet(tmp_path)[index].tobytes() for index in range(len(rebuilt))
    ]
