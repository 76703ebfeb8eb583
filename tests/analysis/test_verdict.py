from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from aiface.analysis.look import MIN_SIDE, TOO_BLURRED, TOO_SMALL, Look
from aiface.analysis.verdict import (
    BETWEEN,
    MIN_FACES,
    NO_FACE,
    NOT_A_PHOTOGRAPH,
    TOO_FEW,
    UNSTABLE,
    Verdict,
    ai_spans,
    judge_input,
    judge_person,
    pool,
)
from aiface.labels import Answer
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 0.25)


def looks(*scores, side=200.0, sharpness=10.0, step=0.2):
    return [Look(step * i, (0, 0, 9, 9), score, side, sharpness) for i, score in enumerate(scores)]


SMALL, BLURRED = looks(0.99, side=20)[0], looks(0.01, sharpness=0.1)[0]


@pytest.mark.parametrize(
    ("seen", "moving", "verdict", "faces", "reasons"),
    [
        ([], True, Answer.INCONCLUSIVE, 0, (NO_FACE,)),
        (looks(0.95) * 5, True, Answer.AI, 5, ()),
        (looks(0.05) * 5, True, Answer.REAL, 5, ()),
        (looks(0.5) * 5, True, Answer.INCONCLUSIVE, 5, (BETWEEN,)),
        (looks(0.95) * MIN_FACES, True, Answer.AI, MIN_FACES, ()),
        (looks(0.95) * (MIN_FACES - 1), True, Answer.INCONCLUSIVE, MIN_FACES - 1, (TOO_FEW,)),
        (looks(0.95), False, Answer.AI, 1, ()),  # an image has no more to give
        (looks(0.05), False, Answer.REAL, 1, ()),
        ([SMALL] * 9, True, Answer.INCONCLUSIVE, 0, (TOO_SMALL,)),
        ([BLURRED] * 9, True, Answer.INCONCLUSIVE, 0, (TOO_BLURRED,)),
        ([BLURRED], False, Answer.INCONCLUSIVE, 0, (TOO_BLURRED,)),
        ([SMALL, BLURRED], True, Answer.INCONCLUSIVE, 0, (TOO_BLURRED, TOO_SMALL)),
        ([SMALL] * 9 + looks(0.05) * 3, True, Answer.REAL, 3, ()),  # those that can't be judged don't count
        ([BLURRED] * 9 + looks(0.95) * 2, True, Answer.INCONCLUSIVE, 2, (TOO_FEW,)),
    ],
)
def test_judge_person(seen, moving, verdict, faces, reasons):
    found = judge_person(seen, CALIBRATION, moving)
    assert (found.answer, found.faces, found.reasons) == (verdict, faces, reasons)
    assert (found.score is None) == (not seen)


@pytest.mark.parametrize(
    ("seen", "moving", "spread", "verdict", "reasons"),
    [
        (looks(0.95) * 5, True, None, Answer.AI, ()),
        (looks(0.95) * 5, True, 0.0, Answer.AI, ()),
        (looks(0.95) * 5, True, 0.25, Answer.AI, ()),
        (looks(0.95) * 5, True, 0.26, Answer.INCONCLUSIVE, (UNSTABLE,)),
        (looks(0.05) * 5, True, 0.25, Answer.REAL, ()),
        (looks(0.05) * 5, True, 0.26, Answer.INCONCLUSIVE, (UNSTABLE,)),
        (looks(0.95), False, 1.0, Answer.INCONCLUSIVE, (UNSTABLE,)),
        (looks(0.5) * 5, True, 1.0, Answer.INCONCLUSIVE, (BETWEEN,)),  # those had no answer to lose
        (looks(0.95), True, 1.0, Answer.INCONCLUSIVE, (TOO_FEW,)),
        ([SMALL] * 5, True, 1.0, Answer.INCONCLUSIVE, (TOO_SMALL,)),
        ([], True, 1.0, Answer.INCONCLUSIVE, (NO_FACE,)),
    ],
)
def test_an_unstable_score_gives_no_answer(seen, moving, spread, verdict, reasons):
    found = judge_person(seen, CALIBRATION, moving, spread)
    assert (found.answer, found.reasons) == (verdict, reasons)
    plain = judge_person(seen, CALIBRATION, moving)
    assert (found.score, found.interval, found.faces) == (plain.score, plain.interval, plain.faces)


@pytest.mark.parametrize(
    ("seen", "moving", "reasons"),
    [
        (looks(0.95) * 5, True, (NOT_A_PHOTOGRAPH,)),
        (looks(0.05), False, (NOT_A_PHOTOGRAPH,)),
        (looks(0.5) * 5, True, (NOT_A_PHOTOGRAPH,)),  # which is why, and not the score
        (looks(0.05) * 2, True, (TOO_FEW,)),
        ([SMALL] * 5, True, (TOO_SMALL,)),
        ([], True, (NO_FACE,)),
    ],
)
def test_art_gets_no_answer(seen, moving, reasons):
    found = judge_person(seen, CALIBRATION, moving, spread=1.0, art=True)
    assert (found.answer, found.reasons) == (Answer.INCONCLUSIVE, reasons)
    plain = judge_person(seen, CALIBRATION, moving)
    assert (found.score, found.interval, found.faces) == (plain.score, plain.interval, plain.faces)


def test_unusable_faces_do_not_touch_the_score():
    judged = judge_person([SMALL] * 9 + looks(0.05) * 3, CALIBRATION, True)
    assert judged.score == pytest.approx(0.05)
    assert judge_person([SMALL] * 3, CALIBRATION, True).score == pytest.approx(0.99)  # the only one there is


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.7,), 0.7),
        ((0.2, 0.8), 0.5),  # symmetric in the logit
        ((0.1, 0.9, 0.9), 0.675),  # logits -2.2, 2.2, 2.2
        ((0.05,) * 19 + (1.0,), 0.05),  # one glitch in twenty is left out
        ((0.95,) * 19 + (0.0,), 0.95),
        ((0.0,), 1e-6),
        ((1.0,) * 4, 1 - 1e-6),
    ],
)
def test_pool(scores, expected):
    assert pool(np.array(scores)) == pytest.approx(expected, abs=1e-3 if len(scores) == 3 else 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_scores_and_intervals_stay_in_range(seed):
    scores = np.random.default_rng(seed).beta(0.3, 0.3, 40)
    found = judge_person(looks(*scores), CALIBRATION, True)
    low, high = found.interval
    assert 0 <= scores.min() <= low <= high <= scores.max() <= 1
    assert np.mean((scores >= low) & (scores <= high)) == pytest.approx(0.8, abs=0.03)
    assert scores.min() <= found.score <= scores.max()
    assert isinstance(found.score, float)


def test_one_face_has_no_interval():
    assert judge_person(looks(0.6), CALIBRATION, False).interval is None


def person(verdict, score, *reasons, faces=5):
    return Verdict(verdict, score, (score, score), faces, reasons)


FAKE, GENUINE, UNSURE = person(Answer.AI, 0.9), person(Answer.REAL, 0.1), person(Answer.INCONCLUSIVE, 0.5, BETWEEN)
TINY = person(Answer.INCONCLUSIVE, 0.97, TOO_SMALL, faces=0)
BRIEF = person(Answer.INCONCLUSIVE, 0.2, TOO_FEW, faces=1)
DRAWN = person(Answer.INCONCLUSIVE, 0.98, NOT_A_PHOTOGRAPH)
SHAKY, SHAKY_LOW = person(Answer.INCONCLUSIVE, 0.96, UNSTABLE), person(Answer.INCONCLUSIVE, 0.02, UNSTABLE)


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([GENUINE], GENUINE),
        ([GENUINE, FAKE, GENUINE], FAKE),  # one is enough
        ([FAKE, person(Answer.AI, 0.85)], FAKE),
        ([FAKE, UNSURE, TINY], FAKE),
        ([GENUINE, TINY, BRIEF], GENUINE),  # onlookers don't keep it from "real"
        ([GENUINE, UNSURE], UNSURE),
        ([person(Answer.REAL, 0.29), person(Answer.INCONCLUSIVE, 0.3, BETWEEN), UNSURE], UNSURE),
        ([TINY, BRIEF], TINY),
        ([GENUINE, DRAWN], GENUINE),  # nor does a poster behind them
        ([DRAWN, FAKE], FAKE),
        ([DRAWN], DRAWN),
        ([SHAKY, FAKE, GENUINE], FAKE),  # whatever their score, the unstable don't hide one who is AI
        ([SHAKY_LOW, GENUINE], SHAKY_LOW),  # nor are they covered up by one who is real
        ([SHAKY, UNSURE, SHAKY_LOW, GENUINE], SHAKY),
        ([SHAKY_LOW, TINY, BRIEF], SHAKY_LOW),  # they were judged
        ([GENUINE, person(Answer.REAL, 0.2)], person(Answer.REAL, 0.2)),
        ([], Verdict(Answer.INCONCLUSIVE, None, None, 0, (NO_FACE,))),
    ],
)
def test_judge_input(people, expected):
    assert judge_input(people) == expected
    assert judge_input(people[::-1]) == expected


H, M, L = 0.95, 0.5, 0.01
seconds = partial(looks, step=1.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], ()),
        (seconds(H), ()),
        (seconds(H, H), ()),  # no fewer than three make a verdict
        (seconds(H, H, H), ((-0.3, 2.4),)),  # from the first time seen to the last
        (seconds(L, L, L, L), ()),
        (seconds(M, M, M), ()),
        (seconds(0.8, 0.8, 0.8), ((-0.3, 2.4),)),  # at the threshold
        (seconds(L, L, L, H, L, L, L), ()),  # one is no span
        (seconds(L, L, L, M, H, H, H, M, L, L), ((3.5, 6.5),)),
        (seconds(H, H, H, H, L, L, L, L), ((-0.3, 2.5),)),
        (seconds(L, L, L, L, H, H, H), ((4.5, 6.4),)),
        (seconds(H, H, H, L, L, L, H, H, H), ((-0.3, 1.5), (6.5, 8.4))),
        (seconds(H, H, H, H, step=10.0), ((-0.3, 30.4),)),
        (seconds(H, H, H, side=MIN_SIDE - 1), ()),
        (sorted(seconds(H, H, H) + seconds(L, L, L, side=20), key=lambda look: look.time), ((-0.3, 2.4),)),
    ],
)
def test_spans(seen, expected):
    last = seen[-1].time + 0.4 if seen else 0
    found = ai_spans(iter(seen), CALIBRATION, -0.3, last)
    assert len(found) == len(expected)
    for span, other in zip(found, expected, strict=True):
        assert span == pytest.approx(other)


@pytest.mark.parametrize(("of_clips", "of_stills", "spans"), [(0.9, 0.8, 1), (0.96, 0.8, 0), (0.8, 0.96, 0)])
def test_a_span_reaches_the_thresholds_of_a_clip_and_of_a_face(of_clips, of_stills, spans):
    stills = {"thresholds": {"0.01": of_stills}}
    calibration = replace(CALIBRATION, thresholds={"0.01": of_clips}, stills=stills)
    assert len(ai_spans(seconds(H, H, H), calibration, 0.0, 2.0)) == spans
