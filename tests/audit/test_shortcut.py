import numpy as np
import pytest
from trees import picture

from aiface.audit import shortcut
from aiface.audit.shortcut import audit_batches, shortcut_score
from aiface.errors import DataError
from aiface.labels import AI


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


class Batched:
    """Pictures as one batch, each from an original of its own unless told."""

    def __init__(self, images, labels, originals=None):
        self.batch, self.from_which = (images, labels), np.arange(len(images)) if originals is None else originals

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch

    def originals(self, index):
        return self.from_which


@pytest.mark.parametrize(("change", "low", "high"), [(0, 0.4, 0.6), (25, 0.9, 1.0)])
def test_audit_batches(change, low, high):
    rng = np.random.default_rng(0)
    images, labels = np.stack([picture(rng) for _ in range(160)]), np.arange(160) % 2
    images[labels == AI] = np.clip(images[labels == AI].astype(int) + change, 0, 255)
    score = audit_batches(Batched(images, labels[:, None].astype(np.float32)))
    assert low <= score.scores["low_level"].auc <= high
    assert list(score.scores) == ["low_level"]


def test_audit_batches_by_scope_and_without_learning_originals_by_heart():
    """Ten pictures of each of 48 originals, half of which carry the trait; scopes go by original, not by picture."""
    rng = np.random.default_rng(0)
    originals = rng.permutation(np.repeat(np.arange(48), 10))
    base, labels = np.stack([picture(rng) for _ in range(48)]), np.arange(48) % 2
    odd = (labels == AI) & (np.arange(48) >= 24)
    base[odd] = np.clip(base[odd].astype(int) + 60, 0, 255)
    scopes = np.where(np.arange(48) < 24, "clean", "marked")
    score = audit_batches(Batched(base[originals], labels[originals], originals), scopes)
    assert score.groups == {}  # 12 originals of a class are too few, however many pictures there are
    assert 0.55 <= score.scores["low_level"].auc <= 0.9


@pytest.mark.parametrize(
    ("shape", "dtype", "labels", "words"),
    [
        ((40, 32, 32, 3), np.float32, 40, "expected uint8 images"),
        ((40, 32, 32), np.uint8, 40, "expected uint8 images"),
        ((40, 32, 32, 3), np.uint8, 39, "and 39"),
    ],
)
def test_audit_batches_takes_nothing_else(shape, dtype, labels, words):
    with pytest.raises(DataError, match=words):
        audit_batches(Batched(np.zeros(shape, dtype), np.arange(labels) % 2))


def test_audit_batches_of_too_few_pictures_has_no_score():
    assert audit_batches(Batched(np.zeros((38, 32, 32, 3), np.uint8), np.arange(38) % 2)).scores == {}
