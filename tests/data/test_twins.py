"""Reconstructions are found by their original's hash, and give nothing away but how they are drawn."""

import cv2
import numpy as np
import pytest

from aiface.data.crop_sets import FIELDS, CropSet, compress
from aiface.data.twins import disguised, like_in_detail, maker, possible
from aiface.errors import DataError
from aiface.faces.crop import CROP_VERSION
from aiface.io.files import write_csv


def stored(folder, crops):
    """A folder of crops, `{hash: crop}`."""
    folder.mkdir()
    rows, data = [], b""
    for name, crop in crops.items():
        kept = compress(crop)
        rows.append({"path": f"set/train/real/{name}.png", "label": "ai", "split": "train", "source": "ae",
                     "sha256": name, "offset": len(data), "size": len(kept), "crop": CROP_VERSION,
                     "left_out": ""})  # fmt: skip
        data += kept
    (folder / "crops-00000.bin").write_bytes(data)
    write_csv(folder / "crops-00000.csv", rows, FIELDS)
    return folder


def noise(seed, low=60, high=200):
    return np.random.default_rng(seed).integers(low, high, (256, 256, 3), np.uint8)


def rings(image):
    """Energy of high frequencies, all channels."""
    spectrum = np.abs(np.fft.fft2(image.astype(np.float32), axes=(0, 1))) ** 2
    radius = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    return np.array([spectrum[(radius > low) & (radius <= low + 0.1)].sum() for low in (0.1, 0.2, 0.3)])


def test_a_fake_is_found_by_its_originals_hash(tmp_path, monkeypatch):
    monkeypatch.setattr("aiface.data.twins.disguised", lambda fake, real, rng: fake)
    reals = CropSet(stored(tmp_path / "reals", {"a": noise(1), "b": noise(2)}))
    flat = {"b": np.full((256, 256, 3), 90, np.uint8), "a": np.full((256, 256, 3), 30, np.uint8)}
    make = maker(str(stored(tmp_path / "fakes", flat)))
    for index, grey in enumerate((30, 90)):
        real, fake = make(reals, index, np.random.default_rng(0))
        np.testing.assert_array_equal(real, reals[index])
        assert (fake == grey).all()


def test_only_faces_with_fakes_have_twins(tmp_path):
    reals = CropSet(stored(tmp_path / "reals", {"a": noise(1), "b": noise(2)}))
    assert possible(str(stored(tmp_path / "fakes", {"b": noise(1)})), reals).tolist() == [False, True]
    assert possible("swap", reals).tolist() == [True, True]


def test_a_folder_that_holds_no_crops_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected shards of crops, found none"):
        maker(str(tmp_path))(CropSet(stored(tmp_path / "reals", {"a": noise(1)})), 0, np.random.default_rng(0))


def test_softness_is_taken_back_and_light_stays():
    real = noise(3)
    soft = cv2.addWeighted(real, 0.5, cv2.GaussianBlur(real, (0, 0), 3), 0.5, 20.0)
    matched = like_in_detail(soft, real)
    assert (rings(soft) < 0.4 * rings(real)).all()
    np.testing.assert_allclose(rings(matched), rings(real), rtol=0.1)
    assert abs(matched.mean() - soft.mean()) < 2


def test_what_is_as_detailed_stays_as_it_is():
    real = noise(4)
    np.testing.assert_allclose(like_in_detail(real, real).astype(int), real, atol=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_disguise_is_the_same_for_the_same_seed(seed):
    fake, real = cv2.GaussianBlur(noise(5), (0, 0), 2), noise(5)
    made = [disguised(fake, real, np.random.default_rng(seed)) for _ in range(2)]
    np.testing.assert_array_equal(*made)
    assert (made[0].dtype, made[0].shape) == (np.uint8, (256, 256, 3))
    assert (made[0] != real).any()
