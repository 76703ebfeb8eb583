import numpy as np
import pytest

from aiface.faces.tracking import ShotDetector, Tracker, iou, place_changed

BOX = (100, 100, 50, 60)


def shifted(x, y=0, scale=1.0):
    """BOX moved by pixels and scaled about its centre."""
    left, top, width, height = BOX
    return (
        left + x + width * (1 - scale) / 2,
        top + y + height * (1 - scale) / 2,
        width * scale,
        height * scale,
    )


@pytest.mark.parametrize(
    ("box_a", "box_b", "expected"),
    [
        (BOX, BOX, 1.0),
        (BOX, shifted(25), 1 / 3),
        (BOX, shifted(50), 0.0),  # they touch
        (BOX, shifted(500), 0.0),
        (BOX, (112.5, 115, 25, 30), 0.25),  # one inside the other
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_iou(box_a, box_b, expected):
    assert iou([box_a], [box_b])[0, 0] == pytest.approx(expected)
    assert iou([box_b], [box_a])[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_iou_shape(n, m):
    assert iou(np.ones((n, 4)), np.ones((m, 4))).shape == (n, m)


@pytest.mark.parametrize("boxes", [np.zeros(4), np.zeros((2, 8)), np.zeros((1, 2, 4))])
def test_boxes_of_another_shape_are_refused(boxes):
    with pytest.raises(ValueError, match=r"expected boxes of shape \(n, 4\)"):
        Tracker().update(boxes, 0.0)


@pytest.mark.parametrize(
    ("box", "gap", "same"),
    [
        (BOX, 0.1, True),
        (shifted(10, 5), 0.1, True),  # overlaps
        (shifted(27), 0.1, True),  # IoU 0.3 no more, but near
        (shifted(31), 0.1, False),  # further than 0.6 of its width
        (shifted(0, 0, 1.5), 0.1, True),
        (shifted(0, 0, 2.0), 0.1, False),  # IoU 0.25 and twice the size: another face
        (shifted(25, 0, 1.7), 0.1, False),
        (BOX, 1.0, True),
        (BOX, 60.0, True),  # nobody looked
        (shifted(31), 60.0, False),
    ],
)
def test_one_face(box, gap, same):
    tracker = Tracker()
    (first,) = tracker.update([BOX], 0.0)
    (second,) = tracker.update([box], gap)
    assert (first == second) is same


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([[BOX, shifted(200)], [shifted(200), BOX]], [[0, 1], [1, 0]]),  # the finder's order means nothing
        ([[BOX], [], [BOX]], [[0], [], [0]]),  # missed once
        ([[BOX], [BOX, shifted(200)], [BOX, shifted(200)]], [[0], [0, 1], [0, 1]]),  # somebody comes in
        ([[BOX], [BOX, shifted(4)]], [[0], [0, 1]]),  # two boxes on one face are never one person
        ([[BOX, shifted(30)], [shifted(20), shifted(50)]], [[0, 1], [0, 1]]),  # both move on: no swap
        ([[BOX, shifted(200)], [shifted(200)], [BOX, shifted(200)]], [[0, 1], [1], [0, 1]]),
    ],
)
def test_several_faces(frames, expected):
    tracker = Tracker()
    assert [tracker.update(boxes, 0.2 * index) for index, boxes in enumerate(frames)] == expected


def test_walk_across_the_frame_keeps_one_identity():
    tracker = Tracker()
    ids = {tracker.update([shifted(20 * step)], 0.2 * step)[0] for step in range(50)}
    assert ids == {0}
    (track,) = tracker.tracks
    assert (track.first_time, track.last_time, track.hits) == (0.0, pytest.approx(9.8), 50)


def test_many_people_share_no_identity_and_leave_no_trace():
    random = np.random.default_rng(0)
    tracker = Tracker(max_gap=0.5)
    for step in range(300):
        boxes = np.column_stack([random.uniform(0, 600, (12, 2)), random.uniform(20, 90, (12, 2))])
        ids = tracker.update(boxes, 0.2 * step)
        assert len(set(ids)) == len(ids) == 12
        assert len(tracker.tracks) <= 12 * 3
    assert [tracker.update([], at) for at in (100.0, 200.0, 300.0)] == [[]] * 3
    assert tracker.tracks == []


@pytest.mark.parametrize(
    ("times", "same"),
    [
        ([0.2, 0.4, 0.6, 0.8, 1.0], True),
        ([0.2, 0.4, 0.6, 0.8, 1.0, 1.2], False),  # unseen for longer than max_gap
        ([0.5, 1.0], True),
        ([0.5, 1.0, 1.01], False),
        ([100.0], True),  # a pause
        ([100.0, 200.0], True),  # one frame a minute, in one of which no face is found
        ([100.0, 200.0, 300.0], False),
        ([100.0, 100.2, 100.4], True),
        ([100.0, 100.2, 100.4, 100.6], False),  # half of max_gap for the pause, and longer than the other half
    ],
)
def test_somebody_who_is_not_seen_in_any_frame_until_the_last(times, same):
    tracker = Tracker()
    assert tracker.update([BOX], 0.0) == [0]
    *unseen, back = times
    for time in unseen:
        assert tracker.update([], time) == []
    assert tracker.update([BOX], back) == [0 if same else 1]


@pytest.mark.parametrize(("step", "hits"), [(0.04, 50), (0.9, 50), (1.1, 50), (30.0, 50)])
def test_however_seldom_frames_come_one_person_is_one(step, hits):
    tracker = Tracker()
    assert {tracker.update([shifted(5 * (index % 2))], step * index)[0] for index in range(hits)} == {0}
    assert (tracker.tracks[0].hits, tracker.tracks[0].last_time) == (hits, step * (hits - 1))
    assert tracker.is_pause(step * hits) is (step > 1)


def test_end_all_makes_everybody_new():
    tracker = Tracker()
    assert tracker.update([BOX, shifted(200)], 0.0) == [0, 1]
    tracker.end_all()
    assert tracker.update([BOX, shifted(200)], 0.1) == [2, 3]


def scene(seed, mean=128, height=90, width=160):
    """A picture of coarse coloured patches round a mean brightness."""
    random = np.random.default_rng(seed)
    patches = random.normal(mean, 40, (9, 16, 3)).clip(0, 255).astype(np.uint8)
    return patches.repeat(height // 9, axis=0).repeat(width // 16, axis=1)


def inset(image):
    """The image with another picture over its top left fifth."""
    image = image.copy()
    image[:40, :72] = (250, 240, 10)
    return image


@pytest.mark.parametrize(
    ("before", "after", "cut"),
    [
        (scene(0), scene(0), False),
        (scene(0), np.roll(scene(0), 20, axis=1), False),  # the camera pans
        (scene(0), (scene(0) * 0.97).astype(np.uint8), False),
        (scene(0), inset(scene(0)), False),
        (scene(0), scene(0, height=180, width=320), False),  # only the frame's size changes
        (scene(0, mean=60), scene(1, mean=190), True),
        (scene(0), np.zeros_like(scene(0)), True),
        (scene(0), np.full_like(scene(0), 255), True),
    ],
)
def test_cut(before, after, cut):
    shots = ShotDetector()
    assert shots.is_cut(before) is False  # the first image begins no new shot
    assert shots.is_cut(after) is cut
    assert shots.is_cut(after) is False  # once a cut


def face_at(x, y, side, colour, ground=128):
    image = np.full((90, 160, 3), ground, np.uint8)
    image[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)] = colour
    return image


@pytest.mark.parametrize(
    ("before", "now", "box", "changed"),
    [
        (face_at(60, 30, 40, (200, 150, 120)), face_at(60, 30, 40, (200, 150, 120)), (60, 30, 40, 40), False),
        (face_at(60, 30, 40, (200, 150, 120)), face_at(64, 32, 40, (200, 150, 120)), (60, 30, 40, 40), False),
        (face_at(60, 30, 40, (200, 150, 120)), face_at(60, 30, 40, (90, 60, 50)), (60, 30, 40, 40), True),
        (face_at(60, 30, 40, (200, 150, 120)), face_at(110, 30, 40, (200, 150, 120)), (60, 30, 40, 40), True),
        (face_at(60, 30, 40, (200, 150, 120)), face_at(60, 30, 40, (200, 150, 120)), (4, 4, 20, 20), False),
        (face_at(-20, -20, 40, (200, 150, 120)), face_at(-20, -20, 40, (90, 60, 50)), (-20, -20, 40, 40), True),
        (face_at(60, 30, 40, (200, 150, 120)), face_at(60, 30, 40, (90, 60, 50)), (-90, -90, 40, 40), False),
        (face_at(60, 30, 40, (200, 150, 120)), np.zeros((20, 20, 3), np.uint8), (60, 30, 40, 40), True),
    ],
)
def test_whether_the_place_of_a_face_changed(before, now, box, changed):
    assert place_changed(before, now, np.array(box, float)) is changed
