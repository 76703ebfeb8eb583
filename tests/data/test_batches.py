import hashlib
from pathlib import Path

import numpy as np
import pytest

from aiface.data import batches
from aiface.data.batches import Batches
from aiface.data.groups import groups, pools
from aiface.errors import DataError
from aiface.labels import AI, REAL


class Crops:
    """A CropSet in memory: each picture's pixels say which one it is."""

    folder = Path("crops")

    def __init__(self, table, size=64):
        """`table` has a row (source, label, number of crops) for each source's class."""
        self.labels = np.concatenate([np.full(n, label) for _, label, n in table])
        self.sources = np.concatenate([np.full(n, source) for source, _, n in table])
        self.size = size
        self.drawn = []

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        self.drawn.append(index)
        return np.full((self.size, self.size, 3), index, np.uint8)


BOTH = [("set", REAL, 40), ("set", AI, 40)]
MIXED = [*BOTH, ("photos", REAL, 64), ("gan", AI, 36), ("diffusion", AI, 4)]


def indices(images):
    """Which crop each picture of a batch is: undegraded ones are flat."""
    assert (images == images[:, :1, :1, :1]).all()
    return images[:, 0, 0, 0].astype(int)


def plain(crops, batch_size=8, steps=50, seed=(0, 0), size=32, **options):
    return Batches(crops, size, batch_size, steps, seed, degrade=False, **options)


# Groups


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (BOTH, {"set": "set"}),
        (MIXED, {"set": "set", "photos": "mixed", "gan": "mixed", "diffusion": "mixed"}),
        ([("a", REAL, 1), ("b", AI, 1)], {"a": "mixed", "b": "mixed"}),
    ],
)
def test_groups(table, expected):
    crops = Crops(table)
    assert dict(zip(crops.sources.tolist(), groups(crops).tolist(), strict=True)) == expected
    assert len(groups(crops)) == len(crops)


def test_pools_hold_every_crop_once_under_its_class():
    crops = Crops(MIXED)
    found = pools(crops)
    assert list(found) == ["mixed", "set"]
    assert sorted(np.concatenate([index for pair in found.values() for side in pair for index in side])) == list(
        range(184)
    )
    for pair in found.values():
        for label in (REAL, AI):
            assert all((crops.labels[index] == label).all() for index in pair[label])
            assert all(len(set(crops.sources[index])) == 1 for index in pair[label])


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        ([("set", REAL, 5)], "ai to go with set"),
        ([("set", AI, 5)], "real to go with set"),
        ([*BOTH, ("photos", REAL, 5)], "ai to go with photos"),  # what could these photographs be told from?
        ([*BOTH, ("gan", AI, 5), ("diffusion", AI, 5)], "real to go with diffusion, gan"),
    ],
)
def test_a_class_is_missing(table, missing):
    with pytest.raises(DataError, match=f"crops: expected crops of both classes.*found none labelled {missing}"):
        Batches(Crops(table), 32, 8, 1, (0,))


def test_no_crops_at_all():
    crops = Crops(BOTH)
    crops.labels, crops.sources = crops.labels[:0], crops.sources[:0]
    with pytest.raises(DataError, match="found no"):
        Batches(crops, 32, 8, 1, (0,))


# Batches


@pytest.mark.parametrize("degrade", [False, True])
@pytest.mark.parametrize(("size", "batch_size"), [(32, 2), (48, 8), (64, 6)])
def test_shapes_and_types(size, batch_size, degrade):
    epoch = Batches(Crops(MIXED), size, batch_size, 3, (0, 0), degrade=degrade)
    assert len(epoch) == 3
    for index in range(3):
        images, labels = epoch[index]
        assert (images.dtype, images.shape) == (np.uint8, (batch_size, size, size, 3))
        assert (labels.dtype, labels.shape) == (np.float32, (batch_size, 1))
        assert labels[:, 0].tolist() == [REAL, AI] * (batch_size // 2)


def test_labels_are_those_of_the_crops_and_pairs_are_of_one_group():
    crops = Crops(MIXED)
    group = groups(crops)
    for images, labels in (plain(crops)[index] for index in range(50)):
        index = indices(images)
        np.testing.assert_array_equal(crops.labels[index], labels[:, 0])
        np.testing.assert_array_equal(group[index[::2]], group[index[1::2]])


def test_groups_are_drawn_alike_and_sources_by_the_root_of_their_number():
    crops = Crops(MIXED)
    index = np.concatenate([indices(plain(crops, batch_size=40)[i][0]) for i in range(50)])
    assert np.mean(groups(crops)[index] == "set") == pytest.approx(0.5, abs=0.08)
    ai = [crops.sources[i] for i in index if groups(crops)[i] == "mixed" and crops.labels[i] == AI]
    assert np.mean(np.array(ai) == "gan") == pytest.approx(6 / (6 + 2), abs=0.1)  # 36 crops against 4


def test_every_crop_is_drawn():
    crops = Crops([("set", REAL, 20), ("set", AI, 20)])
    assert {i for step in range(50) for i in indices(plain(crops)[step][0])} == set(range(40))


def test_only_the_given_crops_are_read(monkeypatch):
    """The rule of the test split: what isn't given can't be drawn."""
    crops = Crops(BOTH)
    epoch = Batches(crops, 32, 8, 20, (0, 0))
    for index in range(20):
        epoch[index]
    assert len(crops.drawn) == 8 * 20
    assert set(crops.drawn) <= set(range(len(crops)))
    assert min(crops.drawn) >= 0  # no index that counts from the end


def test_not_balanced_every_crop_is_as_likely():
    crops = Crops([*MIXED, ("rare", AI, 1)])
    epoch = plain(crops, batch_size=40, balance=False)
    index = np.concatenate([indices(epoch[i][0]) for i in range(50)])
    labels = np.concatenate([epoch[i][1][:, 0] for i in range(50)])
    np.testing.assert_array_equal(crops.labels[index], labels)
    assert np.mean(labels == AI) == pytest.approx(81 / 185, abs=0.04)  # as they come, not half
    assert np.mean(crops.sources[index] == "photos") == pytest.approx(64 / 185, abs=0.04)


def test_a_class_may_be_missing_where_nothing_is_balanced():
    images, labels = plain(Crops([("set", REAL, 5)]), balance=False)[0]
    assert (len(images), labels.max()) == (8, REAL)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.25, 0.15, 0.35), (1.0, 1, 1)])
def test_self_blended_faces_are_ai_made_from_the_real_one_beside_them(monkeypatch, share, low, high):
    monkeypatch.setattr(batches, "self_blend", lambda image, rng: image + np.uint8(200))
    crops, blended = Crops(BOTH), []
    for step in range(30):
        images, labels = plain(crops, self_blended=share, seed=(step,))[0]
        real, ai = indices(images)[::2], indices(images)[1::2]
        assert labels[:, 0].tolist() == [REAL, AI] * 4
        assert set(real) <= set(range(40))
        blended += [other == one + 200 for one, other in zip(real, ai, strict=True)]
        assert all(40 <= other < 80 or other == one + 200 for one, other in zip(real, ai, strict=True))
    assert low <= np.mean(blended) <= high


def test_groups_are_drawn_by_their_shares():
    crops = Crops(MIXED)
    epoch = plain(crops, shares={"set": 0.9, "mixed": 0.1})
    drawn = np.concatenate([epoch.originals(step) for step in range(50)])
    assert np.mean(crops.sources[drawn] == "set") == pytest.approx(0.9, abs=0.06)
    alike = plain(crops, shares={"set": 0.5, "mixed": 0.5})
    drawn = np.concatenate([alike.originals(step) for step in range(50)])
    assert np.mean(crops.sources[drawn] == "set") == pytest.approx(0.5, abs=0.09)


@pytest.mark.parametrize(
    "shares", [{"set": 1.0}, {"set": 0.5, "mixed": 0.4}, {"set": 1.5, "mixed": -0.5}, {"set": 0.5, "mix": 0.5}]
)
def test_shares_that_do_not_fit_the_groups(shares):
    with pytest.raises(DataError, match="expected shares that sum up to 1, of each of the groups mixed, set; found"):
        plain(Crops(MIXED), shares=shares)
    with pytest.raises(DataError, match="none without balance"):
        plain(Crops(MIXED), shares=shares, balance=False)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.25, 0.15, 0.35), (1.0, 0.8, 1)])
def test_mixed_pictures_hold_a_part_of_another_of_their_batch_and_have_its_share_of_ai(share, low, high):
    crops, mixed = Crops(BOTH), []
    for step in range(30):
        epoch = plain(crops, cutmix=share, seed=(step,))
        own = epoch.originals(0)
        for image, (label,), crop in zip(*epoch[0], own, strict=True):
            found = np.unique(image)
            assert crop in found
            assert set(found) <= set(own)
            assert len(found) <= 2
            assert label == pytest.approx((image[..., 0] >= 40).mean(), abs=1e-6)  # the AI crops are 40 to 79
            mixed.append(len(found) == 2)
    assert low <= np.mean(mixed) <= high


def test_mixing_leaves_the_other_pictures_as_they_are():
    plain_images, mixed_images = (Batches(Crops(BOTH), 32, 16, 1, (0, 0), cutmix=share)[0][0] for share in (0, 0.5))
    same = [np.array_equal(one, other) for one, other in zip(plain_images, mixed_images, strict=True)]
    assert 0 < sum(same) < 16


@pytest.mark.parametrize("options", [{}, {"balance": False}, {"self_blended": 0.5}])
def test_originals_are_the_crops_that_a_batch_is_made_from(monkeypatch, options):
    monkeypatch.setattr(batches, "self_blend", lambda image, rng: image)
    epoch = plain(Crops(MIXED), **options)
    for step in range(20):
        np.testing.assert_array_equal(epoch.originals(step), indices(epoch[step][0]))


def test_the_same_for_the_same_seed_whatever_the_order():
    first, second = (Batches(Crops(MIXED), 32, 6, 8, (3, 1)) for _ in range(2))
    for index in reversed(range(8)):
        for one, other in zip(first[index], second[index], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("choices", "golden"),
    [  # as it was when the shipped detectors were trained
        ({}, "4c0ab8123a06e93f"),
        ({"balance": False}, "86e185dce217e31b"),
        ({"degrade": False}, "ece1eead29adda89"),
        ({"shares": {"set": 0.75, "mixed": 0.25}, "self_blended": 0.25, "cutmix": 0.5}, "f6ade1d30d9ccefb"),
        ({"share": slice(2, 4), "cutmix": 0.3}, "54204e3d625d1503"),
    ],
)
def test_a_seed_gives_what_it_always_gave(monkeypatch, choices, golden):
    """What is drawn and the chance that each picture has; pixels are whole numbers here, the same on any machine."""
    for name in ("degrade", "tighten", "self_blend"):
        monkeypatch.setattr(batches, name, lambda image, rng: image ^ rng.integers(256, size=3, dtype=np.uint8))
    monkeypatch.setattr(batches, "window", lambda image, size, rng: image[rng.integers(16) :][:size, :size])
    epoch, found = Batches(Crops(MIXED), 48, 6, 3, (3, 1), **choices), hashlib.sha256()
    for index in range(3):
        for array in (*epoch[index], epoch.originals(index)):
            found.update(array.tobytes())
    assert found.hexdigest()[:16] == golden


def test_epochs_seeds_and_steps_differ():
    crops = Crops(MIXED)
    found = [
        tuple(indices(plain(crops, seed=seed)[step][0]).tolist())
        for seed in ((0, 0), (0, 1), (1, 0), (1, 1)) for step in range(5)
    ]  # fmt: skip
    assert len(set(found)) == len(found)


def test_each_picture_has_its_own_chance(monkeypatch):
    """Drawing a batch, and making and mixing each of its pictures, are seeded apart."""
    states, inner = [], np.random.default_rng
    monkeypatch.setattr(
        np.random,
        "default_rng",
        lambda seed: states.append(inner(seed).bit_generator.state["state"]["state"]) or inner(seed),
    )
    epoch = Batches(Crops(MIXED), 32, 4, 3, (0, 0))
    for index in range(3):
        epoch[index]
    assert len(set(states)) == len(states) == 3 * (1 + 2 * 4)


def test_real_and_ai_are_degraded_by_the_same_code(monkeypatch):
    """With the label hidden from `degrade`, `window` and `tighten`, each class meets each of them as often."""
    met = {"degrade": [], "window": [], "tighten": []}
    for name, seen in met.items():
        inner = getattr(batches, name)
        monkeypatch.setattr(
            batches, name, lambda image, *args, inner=inner, seen=seen: seen.append(image) or inner(image, *args)
        )
    crops = Crops([("set", REAL, 1), ("set", AI, 1)])
    epoch = Batches(crops, 32, 16, 20, (0, 0))
    for index in range(20):
        epoch[index]
    assert len(met["degrade"]) == len(met["window"]) == 320
    assert len(met["tighten"]) == pytest.approx(0.3 * 320, abs=30)
    ai = [image[16, 16, 0] == 1 for image in met["tighten"]]
    assert np.mean(ai) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("degrade", [False, True])
def test_windows_are_not_always_the_same(degrade, astronaut):
    class One(Crops):
        def __getitem__(self, index):
            return np.ascontiguousarray(astronaut[:256, 100:356])

    epoch = Batches(One([("set", REAL, 1), ("set", AI, 1)]), 128, 8, 1, (0, 0), degrade=degrade)
    images, _ = epoch[0]
    assert len({image.tobytes() for image in images}) == 8


def test_a_window_of_the_whole_crop_is_the_crop():
    images, _ = plain(Crops(BOTH), size=64)[0]
    assert images.shape[1] == 64
    indices(images)
