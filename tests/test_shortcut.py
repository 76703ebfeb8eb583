import numpy as np
import pytest
from trees import picture

from aiface import shortcut
from aiface.errors import DataError
from aiface.labels import AI
from aiface.shortcut import audit_arrays, shortcut_score


@pytest.fixture(autouse=True)
def one_partition(monkeypatch):
    monkeypatch.setattr(shortcut, "REPEATS", 1)  # into folds: enough for what is planted, and faster


def columns(rng, labels, shift):
    return {"number": rng.normal(0, 1, len(labels)) + shift * labels, "word": rng.choice(["a", "b"], len(labels))}


@pytest.mark.parametrize(("shift", "low", "high"), [(0, 0.4, 0.6), (3, 0.95, 1.0)])
def test_shortcut_score(shift, low, high):
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    score = shortcut_score({"metadata": columns(rng, labels, shift)}, labels, seed=3)
    assert low <= score.scores["metadata"].auc <= high
    assert set(score.scores) == {"metadata"}
    assert next(iter(score.importance)) == "number" or not shift
    assert score == shortcut_score({"metadata": columns(np.random.default_rng(0), labels, shift)}, labels, seed=3)


def test_the_interval_covers_chance_as_often_as_it_says():
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 2
    scores = [shortcut_score({"x": columns(rng, labels, 0)}, labels, seed=i).scores["x"] for i in range(8)]
    assert sum(score.low <= 0.5 <= score.high for score in scores) >= 7
    assert abs(np.mean([score.auc for score in scores]) - 0.5) < 0.04


def test_copies_in_one_group_are_not_learned_by_heart():
    rng = np.random.default_rng(0)
    originals, group = rng.normal(size=(40, 3)), np.repeat(np.arange(40), 10)
    labels = (np.arange(40) % 2)[group]
    features = {"x": {str(i): column for i, column in enumerate(originals[group].T)}}
    assert shortcut_score(features, labels).scores["x"].auc > 0.95
    grouped = shortcut_score(features, labels, group).scores["x"]
    assert grouped.low <= 0.5 <= grouped.high


@pytest.mark.parametrize(("change", "low", "high"), [(0, 0.4, 0.6), (25, 0.9, 1.0)])
def test_audit_arrays(change, low, high):
    rng = np.random.default_rng(0)
    images, labels = np.stack([picture(rng) for _ in range(160)]), np.arange(160) % 2
    images[labels == AI] = np.clip(images[labels == AI].astype(int) + change, 0, 255)
    score = audit_arrays(images, labels[:, None].astype(np.float32))
    assert low <= score.scores["low_level"].auc <= high
    assert list(score.scores) == ["low_level"]


@pytest.mark.parametrize(
    ("shape", "dtype", "labels", "words"),
    [
        ((40, 32, 32, 3), np.float32, 40, "expected uint8 images"),
        ((40, 32, 32), np.uint8, 40, "expected uint8 images"),
        ((40, 32, 32, 3), np.uint8, 39, "and 39"),
        ((38, 32, 32, 3), np.uint8, 38, "at least 20 different pictures of each class"),
    ],
)
def test_audit_arrays_takes_nothing_else(shape, dtype, labels, words):
    with pytest.raises(DataError, match=words):
        audit_arrays(np.zeros(shape, dtype), np.arange(labels) % 2)
