import json

import numpy as np
import pytest

from aiface.data.crop_sets import prepare_folders
from aiface.data.degrade import rescale
from benchmarks.quality import photograph
from benchmarks.quality.photograph import (
    ALARMS,
    AS_IT_IS,
    BY_CHANCE,
    KINDS,
    SHIPPED,
    Measured,
    fit,
    found_of,
    left_out_sources,
    main,
    measure_all,
    threshold,
)
from benchmarks.quality.renderings import render


@pytest.fixture(scope="module")
def crop(astronaut):
    return rescale(astronaut[2:210, 118:326], 128)[:200, :200]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_art(crop, kind):
    drawn = [render(KINDS[kind], crop, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert {(image.shape, image.dtype) for image in drawn} == {(crop.shape, np.dtype(np.uint8))}
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
    assert np.abs(drawn[0].astype(int) - crop).mean() > 2


@pytest.mark.parametrize("name", SHIPPED)
def test_a_way_of_shipping(crop, name):
    shipped = SHIPPED[name](crop, np.random.default_rng(5))
    assert (shipped.shape, shipped.dtype) == (crop.shape, np.uint8)
    assert (shipped == crop).all() == (name == AS_IT_IS)


@pytest.fixture(scope="module")
def found():
    """Two numbers of 20 photographs in each way and 30 drawings of each kind, which lie 6 higher in both."""
    names = np.array([*SHIPPED] * 20 + [*KINDS] * 30)
    numbers = np.random.default_rng(0).normal(0, 1, (len(names), 2)) + 6 * np.isin(names, list(KINDS))[:, None]
    sources = np.array([f"camera {index % 7}" for index in range(len(names))])
    return Measured(numbers, names, sources, np.where(np.arange(len(names)) % 10, "train", "valid"))


@pytest.fixture(autouse=True)
def few_drawn(monkeypatch):
    monkeypatch.setattr(photograph, "DRAWN", 2000)


def test_what_lies_apart_is_told_apart(found):
    logits = left_out_sources(found)
    assert ((logits > threshold(found, logits)) == found.art).mean() > 0.99
    assert found_of(found, left_out_sources(found, "oil"), "oil") == 1
    assert (fit(found)(found.numbers) == fit(found)(found.numbers)).all()  # the same again


@pytest.mark.parametrize(
    ("name", "over", "expected"),
    [(AS_IT_IS, 0.01, 5), (AS_IT_IS, ALARMS / 2, 0), ("grey", 0.02, 5), ("grey", 0.001, 0), (BY_CHANCE, 1, 0)],
)
def test_the_threshold_is_where_few_photographs_lie_above(name, over, expected):
    """Of 1,000 in each way all have a logit of 0, but for a share of one way that has 5."""
    names = np.repeat(list(SHIPPED), 1000)
    logits = np.zeros(len(names))
    logits[np.flatnonzero(names == name)[: round(1000 * over)]] = 5
    nothing = np.empty((len(names), 0))
    assert threshold(Measured(nothing, names, names, names), logits) == expected


def test_each_is_measured(make_tree, tmp_path, fake_finder):
    crops = prepare_folders([make_tree(tmp_path / "set", count=1)], tmp_path / "crops", new_finder=lambda: fake_finder)
    found = measure_all(crops, of_kind=1, of_shipped=2)
    assert {name: (found.names == name).sum() for name in (AS_IT_IS, "grey", "oil")} == {
        AS_IT_IS: 6, "grey": 2, "oil": 1,
    }  # fmt: skip
    assert found.numbers.shape == (6 + 2 * (len(SHIPPED) - 1) + len(KINDS), 108)
    assert found.art.sum() == len(KINDS)
    assert set(found.splits[:6]) == {"train", "valid", "test"}


def test_the_tables(found, monkeypatch, tmp_path, capsys):
    """The network that is written is the one that the last table is of."""
    monkeypatch.setattr(photograph, "WEIGHTS", tmp_path / "weights.json")
    monkeypatch.setattr(photograph, "measure", lambda crop: {"one": 0.0, "two": 0.0})
    monkeypatch.setattr("aiface.faces.photograph.measure", photograph.measure)
    monkeypatch.setattr(photograph, "KINDS", {kind: KINDS[kind] for kind in ("oil", "shapes")})
    drawings = np.isin(found.names, ["oil", "shapes"]) | ~found.art
    photograph.report(found.where(drawings), write=True)
    assert set(json.loads((tmp_path / "weights.json").read_text())) == {"one", "two", "hidden bias", "output"}
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in (*SHIPPED, "oil", "shapes"))
    assert [line.split(" | ")[-1] for line in printed.splitlines()[-2:]] == ["100.00% |"] * 2


def test_no_crops(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "expected shards of crops" in capsys.readouterr().err
