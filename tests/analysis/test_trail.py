import pytest

from aiface.analysis.trail import LINGER, Trail


@pytest.fixture(scope="module")
def moving():
    trail = Trail()
    for time, box in ((1.0, (0, 0, 10, 10)), (1.2, (20, 10, 10, 20)), (2.0, (20, 10, 30, 20))):
        trail.add(time, box)
    return trail


@pytest.mark.parametrize(
    ("time", "box"),
    [
        (0.0, None),
        (0.99, None),  # not yet there
        (1.0, (0, 0, 10, 10)),
        (1.05, (5, 2.5, 10, 12.5)),
        (1.1, (10, 5, 10, 15)),
        (1.2, (20, 10, 10, 20)),
        (1.6, (20, 10, 20, 20)),
        (2.0, (20, 10, 30, 20)),
        (2.0 + LINGER, (20, 10, 30, 20)),
        (2.01 + LINGER, None),
        (99, None),
    ],
)
def test_where_a_face_is(moving, time, box):
    assert moving.at(time) == (box and pytest.approx(box, abs=1e-5))


def test_nobody_was_anywhere():
    assert Trail().at(0.0) is None
