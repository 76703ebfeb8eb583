import numpy as np
import pytest
import scene
from scene import BETWEEN, BLUE, RED, by_colour, by_side, in_side_light, picture

from aiface.session import GALLERIES, GALLERY, Person, Session, Stopwatch, sight
from aiface.verdict import AI, INCONCLUSIVE, REAL, TOO_FEW, TOO_SMALL, UNSTABLE, Sighting
from aiface.video import Frame


def watch(images, step=0.2, logits=by_colour, **options):
    session = Session(scene.Finder(), scene.detector(logits), **options)
    return session, [session.update(Frame(image, step * index)) for index, image in enumerate(images)]


def test_two_people_in_a_frame_are_judged_apart():
    session, seen = watch([picture((20 + 3 * i, 30, 100, RED), (180, 40, 90 - i, BLUE)) for i in range(6)])
    assert len(session.people) == 2
    assert [session.judge(person).verdict for person, _ in seen[-1]] == [AI, REAL]  # largest first
    for (red, _), (blue, _) in seen:
        assert (red, blue) == tuple(session.people.values())
    for person in session.people.values():
        assert [s.time for s in person.sightings] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_people_keep_their_scores_when_they_swap_rank():
    """The finder's order is by size; who is larger changes midway."""
    session, _ = watch([picture((20, 30, 70 + 4 * i, RED), (180, 40, 94 - 4 * i, BLUE)) for i in range(7)])
    found = {session.judge(person).verdict: [s.score for s in person.sightings] for person in session.people.values()}
    assert set(found) == {AI, REAL}
    assert min(found[AI]) > 0.9
    assert max(found[REAL]) < 0.1


def test_a_cut_ends_identities():
    """The same place, another person, in front of another ground."""
    before = [picture((100, 40, 100, RED))] * 4
    after = [picture((100, 40, 100, BLUE), ground=200)] * 4
    session, _ = watch(before + after)
    assert [session.judge(person).verdict for person in session.people.values()] == [AI, REAL]
    assert [len(person.sightings) for person in session.people.values()] == [4, 4]


def test_someone_between_the_thresholds():
    session, _ = watch([picture((100, 40, 100, BETWEEN))] * 5)
    (person,) = session.people.values()
    assert session.judge(person).verdict == INCONCLUSIVE


@pytest.mark.parametrize(("moving", "expected"), [(True, INCONCLUSIVE), (False, AI)])
def test_a_single_look(moving, expected):
    session, ((seen,),) = watch([picture((100, 40, 100, RED))], moving=moving)
    assert session.judge(seen[0]).verdict == expected


def test_what_is_shown_while_watching_is_of_the_last_moments():
    """Someone who was real for long turns AI: the final verdict is on the whole."""
    images = [picture((100, 40, 100, BLUE))] * 30 + [picture((100, 40, 100, RED))] * 11
    session, shown = Session(scene.Finder(), scene.detector()), []
    for index, image in enumerate(images):
        ((person, _),) = session.update(Frame(image, 0.2 * index))
        verdict = session.shown(person)
        shown.append(verdict and verdict.verdict)
    assert shown[:30] == [None] * 2 + [REAL] * 28
    assert shown[-1] == AI
    assert len(session.people) == 1
    untouched, _ = watch(images)
    assert session.conclude() == untouched.conclude()
    assert session.conclude()[0].verdict == session.judge(person).verdict != AI


EVEN, LEFT_LIT, TINY = (
    picture((100, 40, 100, RED)), in_side_light(100, 40, 100, RED), in_side_light(120, 60, 60, RED),
)  # fmt: skip


@pytest.mark.parametrize(
    ("images", "logits", "live", "final", "reasons"),
    [
        ([EVEN] * 5, by_side, AI, AI, ()),
        ([LEFT_LIT] * 5, by_colour, AI, AI, ()),
        ([LEFT_LIT] * 5, by_side, AI, INCONCLUSIVE, (UNSTABLE,)),
        ([in_side_light(100, 40, 100, BLUE, "right")] * 5, by_side, REAL, INCONCLUSIVE, (UNSTABLE,)),
        ([EVEN] * 3 + [LEFT_LIT] * 2, by_side, AI, AI, ()),  # the median decides
        ([EVEN] * 2 + [LEFT_LIT] * 3, by_side, AI, INCONCLUSIVE, (UNSTABLE,)),
        ([EVEN] * 3 + [TINY] * 4, by_side, AI, AI, ()),  # of faces that can be judged
        ([TINY] * 4, by_side, INCONCLUSIVE, INCONCLUSIVE, (TOO_SMALL,)),
        ([LEFT_LIT] * 2, by_side, INCONCLUSIVE, INCONCLUSIVE, (TOO_FEW,)),
    ],
)
def test_the_final_verdict_is_on_stable_scores_only(images, logits, live, final, reasons):
    session, _ = watch(images, logits=logits)
    (person,) = session.people.values()
    assert session.judge(person).verdict == live
    (found,) = session.conclude()
    assert (found.verdict, found.reasons) == (final, reasons)
    assert found.score == session.judge(person).score


def test_each_gets_their_own_final_verdict():
    couple = in_side_light(20, 30, 100, RED)
    couple[:, 150:] = picture((180, 40, 90, BLUE))[:, 150:]
    session, _ = watch([couple] * 4, logits=by_side)
    assert [person.sightings[0].box[0] for person in session.people.values()] == [20, 180]
    assert [(verdict.verdict, verdict.reasons) for verdict in session.conclude()] == [
        (INCONCLUSIVE, (UNSTABLE,)), (REAL, ()),
    ]  # fmt: skip


def test_who_has_no_crops_left_keeps_their_verdict():
    session, _ = watch([LEFT_LIT] * 4, logits=by_side)
    (person,) = session.people.values()
    person.gallery.clear()
    assert session.conclude() == [session.judge(person)]


def test_nobody():
    session, seen = watch([picture()] * 3)
    assert session.conclude() == []
    assert seen == [[], [], []]
    assert session.people == {}
    assert set(session.stopwatch.table()) == {"find", "crop", "score"}


def test_the_image_is_left_as_it_is():
    image = picture((100, 40, 100, RED))
    image.flags.writeable = False
    watch([image])


def look(index, side=100.0, sharpness=9.0):
    return Sighting(index / 5, (0, 0, 9, 9), 0.5, side, sharpness), np.full((4, 4, 3), index, np.uint8)


def test_the_gallery_keeps_the_largest_usable_faces():
    person = Person(0)
    for index, side in enumerate([90, 500, 80, 100, 110, 120, 130, 70, 140, 150, 160, 100]):
        person.see(*look(index, side, sharpness=0.1 if side == 500 else 9.0))
        assert len(person.gallery) <= GALLERY
    assert len(person.sightings) == 12
    assert sorted(sighting.side for sighting, _ in person.gallery) == [100, 100, 110, 120, 130, 140, 150, 160]
    assert all(crop[0, 0, 0] == round(sighting.time * 5) for sighting, crop in person.gallery)


def test_the_gallery_takes_looks_that_are_alike():
    """Equal sightings with other crops: arrays can't be compared as such."""
    person = Person(0)
    for _ in range(2 * GALLERY):
        person.see(*look(1))
    assert len(person.gallery) == GALLERY


def test_a_film_of_many_people_does_not_fill_the_memory():
    """A new shot every second frame, but the first person stays longest and keeps their crops."""
    shots = [picture((100, 40, 100, RED))] * 5
    for index in range(2 * GALLERIES):
        shots += [picture((100, 40, 90, BLUE), ground=(40, 200)[index % 2])] * 2
    session, _ = watch(shots)
    people = list(session.people.values())
    assert len(people) == 1 + 2 * GALLERIES
    assert sum(bool(person.gallery) for person in people) == GALLERIES
    assert len(people[0].gallery) == 5
    assert people[-1].gallery
    assert all(person.sightings for person in people)


def test_an_interrupt_leaves_nobody_who_was_never_seen(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    session = Session(scene.Finder(), scene.detector())
    monkeypatch.setattr("aiface.session.sharpness", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.update(Frame(picture((100, 40, 100, RED)), 0.0))
    assert session.people == {}


def test_sight():
    face = scene.face_in((10.0, 20.0, 100.0, 100.0))
    crop = np.zeros((256, 256, 3), np.uint8)
    found = sight(face, crop, np.float32(0.25), 1.5)
    assert (found.time, found.box, found.sharpness) == (1.5, (10.0, 20.0, 100.0, 100.0), 0.0)
    assert found.side == pytest.approx(90, rel=1e-4)
    assert type(found.score) is float  # as JSON takes it
    assert found.score == 0.25


def test_stopwatch():
    stopwatch = Stopwatch()
    assert list(stopwatch.timed("read", [1, 2, 3])) == [1, 2, 3]
    assert stopwatch.calls["read"] == 4  # the last finds the end
    with pytest.raises(ZeroDivisionError), stopwatch("find"):
        _ = 1 / 0
    assert set(stopwatch.table()) == {"read", "find"}
    assert all(milliseconds >= 0 for milliseconds in stopwatch.table().values())
