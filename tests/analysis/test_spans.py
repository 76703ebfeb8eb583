import pytest

from aiface.analysis.spans import ai_spans
from aiface.analysis.verdict import MIN_SIDE, Sighting
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 0.25)
H, M, L = 0.95, 0.5, 0.01


def looks(*scores, side=200.0, step=1.0):
    return [Sighting(step * i, (0, 0, 9, 9), score, side, 9) for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("sightings", "expected"),
    [
        ([], ()),
        (looks(H), ()),
        (looks(H, H), ()),  # no fewer than three make a verdict
        (looks(H, H, H), ((-0.3, 2.4),)),  # from the first time seen to the last
        (looks(L, L, L, L), ()),
        (looks(M, M, M), ()),
        (looks(0.8, 0.8, 0.8), ((-0.3, 2.4),)),  # at the threshold
        (looks(L, L, L, H, L, L, L), ()),  # one is no span
        (looks(L, L, L, M, H, H, H, M, L, L), ((3.5, 6.5),)),
        (looks(H, H, H, H, L, L, L, L), ((-0.3, 2.5),)),
        (looks(L, L, L, L, H, H, H), ((4.5, 6.4),)),
        (looks(H, H, H, L, L, L, H, H, H), ((-0.3, 1.5), (6.5, 8.4))),
        (looks(H, H, H, H, step=10.0), ((-0.3, 30.4),)),
        (looks(H, H, H, side=MIN_SIDE - 1), ()),
        (sorted(looks(H, H, H) + looks(L, L, L, side=20), key=lambda look: look.time), ((-0.3, 2.4),)),
    ],
)
def test_spans(sightings, expected):
    last = sightings[-1].time + 0.4 if sightings else 0
    found = ai_spans(iter(sightings), CALIBRATION, -0.3, last)
    assert len(found) == len(expected)
    for span, other in zip(found, expected, strict=True):
        assert span == pytest.approx(other)
