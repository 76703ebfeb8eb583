import numpy as np
import pytest
import scene
from clips import seconds, write_clip
from measured import CALIBRATION
from scene import BLUE, HEIGHT, RED, WIDTH, picture
from scipy.special import expit

from aiface.analysis.result import Settings
from aiface.analysis.verdict import pool
from aiface.evaluation.clips import list_clips
from aiface.labels import AI, REAL
from benchmarks.quality.pooling import POOLINGS, TRIMMED, Scored, leave_one_out, log_loss, main, score_clips, table


def scored(label, *people):
    """A clip by the logits of its people."""
    return Scored("clip.mp4", label, tuple(expit(np.array(logits, np.float64)) for logits in people))


@pytest.mark.parametrize(
    ("pooling", "people", "logit"),
    [
        ("mean", [(0, 0, 3)], 1),
        ("median", [(-2, 0, 3)], 0),
        ("top 1", [(-2, 0, 3)], 3),
        ("top 3", [(-2, 0, 3, 1, 2)], 2),
        ("top 8", [(-2, 0, 2)], 0),  # as many as there are
        (TRIMMED, [(1,) * 9 + (5,)], 1),
        ("mean", [(0, 0, 3), (2, 2, 2), (-1, -1, -1)], 2),  # the most suspicious person's
    ],
)
def test_a_clip_is_pooled(pooling, people, logit):
    assert scored(AI, *people).pooled(pooling) == pytest.approx(expit(logit))


def test_the_trimmed_mean_is_that_of_verdicts():
    scores = np.random.default_rng(0).beta(0.5, 0.5, 30)
    assert Scored("", AI, (scores,)).pooled(TRIMMED) == pytest.approx(pool(scores))


def test_log_loss():
    assert log_loss(np.array([0.5, 0.25]), np.array([AI, REAL])) == pytest.approx(-np.log([0.5, 0.75]).mean())


SPLICED = [scored(AI, (4, 4, 4, *[-1] * 9)) for _ in range(4)] + [scored(REAL, (-3,) * 12) for _ in range(4)]


@pytest.mark.parametrize(
    ("clips", "chosen"),
    [
        ([scored(AI, (2,) * 9), scored(REAL, (-2,) * 9), scored(AI, (3,) * 9)], TRIMMED),  # all are alike: the first
        (SPLICED, "top 1"),
    ],
)
def test_choosing_on_the_others(clips, chosen):
    assert set(leave_one_out(clips)) == {chosen}


def test_a_table_has_a_row_for_each_pooling():
    lines = table(SPLICED, CALIBRATION).splitlines()[2:]
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}
    assert list(rows) == [*POOLINGS, "chosen on the others"]
    assert rows["top 1"] == ["1.00", "0.03", "8", "0", "0", "8"]
    assert rows["median"][2:] == ["4", "0", "4", "0"]
    assert rows["chosen on the others"] == ["1.00", "0.03", "8", "0", "0", ""]


def test_clips_are_scored(tmp_path):
    for name, people in {"real/a.mp4": [(20, 30, 100, BLUE), (200, 50, 60, RED)], "fake/b.mp4": []}.items():
        (tmp_path / name).parent.mkdir()
        write_clip(tmp_path / name, seconds(20), lambda _, people=people: picture(*people), (WIDTH, HEIGHT))
    (found,) = score_clips(list_clips(tmp_path), scene.Finder(), scene.detector(), Settings())
    assert (found.file, found.label) == ("real/a.mp4", REAL)
    assert [len(scores) for scores in found.people] == [10]  # nobody too small, and no clip without anybody
    assert found.pooled(TRIMMED) < 0.01


def test_what_cannot_be_compared(tmp_path, capsys):
    assert main([str(tmp_path), "--detector", str(tmp_path)]) == 1
    assert "expected a bundle's card" in capsys.readouterr().err
