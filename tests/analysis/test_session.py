import numpy as np
import pytest
import scene
from scene import BETWEEN, BLUE, RED, by_colour, by_side, in_side_light, picture

from aiface.analysis import session as session_module
from aiface.analysis.look import TOO_SMALL
from aiface.analysis.person import GALLERY
from aiface.analysis.session import GALLERIES, Session
from aiface.analysis.stopwatch import Stopwatch
from aiface.analysis.verdict import NOT_A_PHOTOGRAPH, TOO_FEW, UNSTABLE
from aiface.faces.crop import crop_face
from aiface.faces.finder import shrunk
from aiface.labels import Answer
from aiface.video.opening import Frame


def watch(images, step=0.2, logits=by_colour, **options):
    session = Session(scene.Finder(), scene.detector(logits), **options)
    return session, [session.update(Frame(image, step * index)) for index, image in enumerate(images)]


def test_two_people_in_a_frame_are_judged_apart():
    session, seen = watch([picture((20 + 3 * i, 30, 100, RED), (180, 40, 90 - i, BLUE)) for i in range(6)])
    assert len(session.people) == 2
    assert [session.judge(person).answer for person, _ in seen[-1]] == [Answer.AI, Answer.REAL]  # largest first
    for (red, _), (blue, _) in seen:
        assert (red, blue) == tuple(session.people.values())
    for person in session.people.values():
        assert [s.time for s in person.each_look] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_people_keep_their_scores_when_they_swap_rank():
    """The finder's order is by size; who is larger changes midway."""
    session, _ = watch([picture((20, 30, 70 + 4 * i, RED), (180, 40, 94 - 4 * i, BLUE)) for i in range(7)])
    session.conclude()
    found = {session.judge(person).answer: [s.score for s in person.each_look] for person in session.people.values()}
    assert set(found) == {Answer.AI, Answer.REAL}
    assert min(found[Answer.AI]) > 0.9
    assert max(found[Answer.REAL]) < 0.1


def test_a_cut_ends_identities():
    """The same place, another person, in front of another ground."""
    before = [picture((100, 40, 100, RED))] * 4
    after = [picture((100, 40, 100, BLUE), ground=200)] * 4
    session, _ = watch(before + after)
    assert [session.judge(person).answer for person in session.people.values()] == [Answer.AI, Answer.REAL]
    assert [len(person.each_look) for person in session.people.values()] == [4, 4]


def at(times, images, **options):
    session = Session(scene.Finder(), scene.detector(), **options)
    for time, image in zip(times, images, strict=True):
        session.update(Frame(image, time))
    return [person.looks for person in session.people.values()]


SAME, MOVED = picture((100, 40, 100, RED)), picture((110, 45, 100, RED))


@pytest.mark.parametrize(
    ("times", "images", "looks"),
    [
        ([0, 0.2, 4.0, 4.2], [SAME] * 4, [4]),  # frames stop, and go on
        ([0, 0.2, 60.0, 60.2], [SAME, SAME, MOVED, MOVED], [4]),
        ([0, 3, 6, 9, 12], [SAME, MOVED] * 2 + [SAME], [5]),  # one frame each three seconds
        ([0, 0.2, 4.0, 4.2], [SAME, SAME, *[picture((100, 40, 100, BLUE))] * 2], [2, 2]),  # somebody else, same place
        ([0, 0.2, 4.0, 4.2], [SAME, SAME, *[picture((100, 40, 60, BLUE))] * 2], [2, 2]),
        ([0, 0.2, 4.0, 4.2], [SAME, SAME, *[picture((100, 40, 100, RED), ground=200)] * 2], [2, 2]),  # a cut
        ([0, 0.2, 4.0, 4.2], [SAME, SAME, *[picture((210, 40, 100, RED))] * 2], [2, 2]),  # elsewhere
        ([0, 3, 6, 9], [picture((100, 40, 100, colour)) for colour in (RED, BLUE, RED, BLUE)], [1] * 4),  # slides
    ],
)
def test_a_pause_without_frames_parts_nobody_from_themselves(times, images, looks):
    assert at(times, images) == looks


def test_someone_between_the_thresholds():
    session, _ = watch([picture((100, 40, 100, BETWEEN))] * 5)
    (person,) = session.people.values()
    assert session.judge(person).answer == Answer.INCONCLUSIVE


@pytest.mark.parametrize(("moving", "expected"), [(True, Answer.INCONCLUSIVE), (False, Answer.AI)])
def test_a_single_look(moving, expected):
    session, ((seen,),) = watch([picture((100, 40, 100, RED))], moving=moving)
    assert session.judge(seen[0]).answer == expected


def test_what_is_shown_while_watching_is_of_the_last_looks():
    """Someone who was real for long turns AI: the final verdict is on the whole."""
    images = [picture((100, 40, 100, BLUE))] * 30 + [picture((100, 40, 100, RED))] * 11
    session, shown = Session(scene.Finder(), scene.detector()), []
    for index, image in enumerate(images):
        ((person, look),) = session.update(Frame(image, 0.2 * index))
        (verdict,) = session.shown([(person, look)])
        shown.append(verdict and verdict.answer)
    assert shown[:30] == [None] * 2 + [Answer.REAL] * 28
    assert shown[-1] == Answer.AI
    assert len(session.people) == 1
    untouched, _ = watch(images)
    assert session.conclude() == untouched.conclude()
    assert session.conclude()[0].answer == session.judge(person).answer != Answer.AI


EVEN, LEFT_LIT, TINY = (
    picture((100, 40, 100, RED)), in_side_light(100, 40, 100, RED), in_side_light(120, 60, 60, RED),
)  # fmt: skip


@pytest.mark.parametrize(
    ("images", "logits", "live", "final", "reasons"),
    [
        ([EVEN] * 5, by_side, Answer.AI, Answer.AI, ()),
        ([LEFT_LIT] * 5, by_colour, Answer.AI, Answer.AI, ()),
        ([LEFT_LIT] * 5, by_side, Answer.AI, Answer.INCONCLUSIVE, (UNSTABLE,)),
        ([in_side_light(100, 40, 100, BLUE, "right")] * 5, by_side, Answer.REAL, Answer.INCONCLUSIVE, (UNSTABLE,)),
        ([EVEN] * 3 + [LEFT_LIT] * 2, by_side, Answer.AI, Answer.AI, ()),  # the median decides
        ([EVEN] * 2 + [LEFT_LIT] * 3, by_side, Answer.AI, Answer.INCONCLUSIVE, (UNSTABLE,)),
        ([EVEN] * 3 + [TINY] * 4, by_side, Answer.AI, Answer.AI, ()),  # of faces that can be judged
        ([TINY] * 4, by_side, Answer.INCONCLUSIVE, Answer.INCONCLUSIVE, (TOO_SMALL,)),
        ([LEFT_LIT] * 2, by_side, Answer.INCONCLUSIVE, Answer.INCONCLUSIVE, (TOO_FEW,)),
    ],
)
def test_the_final_verdict_is_on_stable_scores_only(images, logits, live, final, reasons):
    session, _ = watch(images, logits=logits)
    (person,) = session.people.values()
    assert session.judge(person).answer == live
    (found,) = session.conclude()
    assert (found.answer, found.reasons) == (final, reasons)
    assert found.score == session.judge(person).score


@pytest.mark.parametrize(
    ("drawn", "logits", "reasons"),
    [(0, by_colour, ()), (2, by_colour, ()), (3, by_colour, (NOT_A_PHOTOGRAPH,)), (5, by_side, (NOT_A_PHOTOGRAPH,))],
)
def test_a_drawing_is_one_in_most_looks(monkeypatch, drawn, logits, reasons):
    """What is drawn is a darker red here; that the score is AI's, stable or not, says nothing then."""
    monkeypatch.setattr(scene.ByColour, "is_art", lambda self, crops: np.array([crop.max() < 200 for crop in crops]))
    dark = picture((100, 40, 100, (170, 50, 50)))
    session, _ = watch([dark] * drawn + [EVEN] * (5 - drawn), logits=logits)
    (found,) = session.conclude()
    assert found.answer == (Answer.INCONCLUSIVE if reasons else Answer.AI)
    assert (found.reasons, found.faces, bool(found.ai_spans)) == (reasons, 5, not reasons)


def test_each_gets_their_own_final_verdict():
    couple = in_side_light(20, 30, 100, RED)
    couple[:, 150:] = picture((180, 40, 90, BLUE))[:, 150:]
    session, _ = watch([couple] * 4, logits=by_side)
    assert [person.each_look[0].box[0] for person in session.people.values()] == [20, 180]
    assert [(verdict.answer, verdict.reasons) for verdict in session.conclude()] == [
        (Answer.INCONCLUSIVE, (UNSTABLE,)), (Answer.REAL, ()),
    ]  # fmt: skip


def test_who_has_no_crops_left_keeps_their_verdict():
    session, _ = watch([LEFT_LIT] * 4, logits=by_side)
    (person,) = session.people.values()
    session.conclude()
    person.drop_crops()
    (verdict,) = session.conclude()
    assert (verdict.answer, verdict.reasons) == (session.judge(person).answer, ()) == (Answer.AI, ())


def test_nobody():
    session, seen = watch([picture()] * 3)
    assert session.conclude() == []
    assert seen == [[], [], []]
    assert session.people == {}
    assert set(session.stopwatch.table(session.frames)) == {"find", "crop", "score"}


def test_the_image_is_left_as_it_is():
    image = picture((100, 40, 100, RED))
    image.flags.writeable = False
    watch([image])


# How much is scored and kept


# Glances


class Glancing(scene.Finder):
    """Finds the same in a glance, to the pixel, and says how often it was asked for what."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def __call__(self, image):
        self.asked.append("search")
        return super().__call__(image)

    def glance(self, image):
        self.asked.append("glance")
        return super().__call__(image)


def follow(images, step=0.2, **options):
    session = Session(finder := Glancing(), scene.detector(), **options)
    seen = [session.update(Frame(image, step * index)) for index, image in enumerate(images)]
    return session, finder, seen


def large(*faces):
    """A picture of more than a glance's size."""
    return np.pad(picture(*faces), ((0, 200), (0, 200), (0, 0)), mode="edge")


TWO_PEOPLE = [large((20 + i % 5, 30, 100, RED), (180, 40, 90, BLUE)) for i in range(120)]


def test_glances_change_no_verdict_and_no_time():
    (plain, asked, _), (glancing, asked_less, _) = (follow(TWO_PEOPLE, glances=on) for on in (False, True))
    assert [str(verdict) for verdict in glancing.conclude()] == [str(verdict) for verdict in plain.conclude()]
    for ours, theirs in zip(glancing.people.values(), plain.people.values(), strict=True):
        assert (ours.looks, ours.first_time, ours.last_time) == (theirs.looks, theirs.first_time, theirs.last_time)
        assert len(list(ours.best_looks)) == len(list(theirs.best_looks))
        assert all(look.crop is not None for look in ours.best_looks)
    assert asked.asked == ["search"] * 120
    assert asked_less.asked.count("search") < 60 < asked_less.asked.count("glance")


def test_who_is_glimpsed_has_no_crop():
    _, _, seen = follow(TWO_PEOPLE, glances=True)
    assert {look.crop is None for looks in seen for _, look in looks} == {True, False}
    assert all(look.score is None for looks in seen for _, look in looks if look.crop is None)


def test_no_crop_is_made_that_could_be_none_the_better(monkeypatch):
    made = []
    monkeypatch.setattr(session_module, "crop_face", lambda image, face: made.append(face) or crop_face(image, face))

    def watched(glances):
        made.clear()
        session = Session(scene.Finder(), scene.detector(), glances=glances)  # which has no glance, and searches each
        for index, image in enumerate(TWO_PEOPLE):
            session.update(Frame(image, 0.2 * index))
        return [str(verdict) for verdict in session.conclude()], list(session.people.values()), len(made)

    (verdicts, people, all_crops), (same, others, crops) = watched(False), watched(True)
    assert same == verdicts
    assert [list(person.best_looks) for person in others] == [list(person.best_looks) for person in people]
    assert (all_crops, crops) == (240, 80)


def test_faces_are_searched_in_a_small_copy_and_cut_out_of_the_frame():
    shapes, finder = [], scene.Finder()
    session = Session(lambda image: shapes.append(image.shape) or finder(image), scene.detector())
    ((_, look),) = session.update(Frame(picture((200, 100, 300, RED), width=1280, height=720), 0.0))
    assert shapes == [(360, 640, 3)]
    assert look.box == pytest.approx((200, 100, 300, 300), abs=4)
    assert look.side == pytest.approx(270, abs=4)


@pytest.mark.parametrize("options", [{}, {"glances": True, "best_looks": None}])
def test_no_glances_unless_asked_for_or_where_every_look_counts(options):
    _, finder, _ = follow(TWO_PEOPLE[:30], **options)
    assert set(finder.asked) == {"search"}


@pytest.mark.parametrize(
    "last",
    [
        large((20, 30, 100, RED), (180, 40, 90, BLUE), (20, 138, 40, BLUE)),  # somebody comes
        large((20, 30, 100, RED)),  # somebody leaves
        large((20, 30, 140, RED), (180, 40, 90, BLUE)),  # somebody comes closer: a better look
        255 - TWO_PEOPLE[0],  # a cut
    ],
)
def test_a_search_as_soon_as_anything_changes(last):
    _, finder, _ = follow([*TWO_PEOPLE[:119], last], glances=True)
    assert finder.asked[-1] == "search"


@pytest.mark.parametrize(("moving", "answer"), [(True, Answer.REAL), (False, Answer.AI)])
def test_looks_in_clips_are_scored_by_the_detector_for_these(moving, answer):
    of_clips = scene.detector()
    detector = scene.ByColour(lambda crops: np.full(len(crops), 9, np.float32), scene.CARD, None, lambda: of_clips)
    session = Session(scene.Finder(), detector, moving=moving)
    for index in range(4):
        session.update(Frame(picture((100, 40, 100, BLUE)), 0.2 * index))
    assert [verdict.answer for verdict in session.conclude()] == [answer]


class Counting:
    """The detector by colour, and how many crops it scored."""

    def __init__(self, logits=by_colour):
        self._real, self.scored = scene.detector(logits), []
        self.calibration = self._real.calibration

    def of(self, moving):
        return self

    def sides(self, crops, both=True):
        self.scored.append(len(crops))
        return self._real.sides(crops, both)

    def score_of(self, sides):
        return self._real.score_of(sides)

    def spread(self, crops, sides):
        return 0.0

    def is_art(self, crops):
        return np.zeros(len(crops), bool)


def kept(session):
    """How many people a session remembers, of how many it has crops, and how many looks and crops these are."""
    people = session.people.values()
    crops = [sum(look.crop is not None for look in person.best_looks) for person in people]
    return len(people), sum(map(bool, crops)), sum(len(list(person.best_looks)) for person in people), sum(crops)


ONE, TWO = [(60, 50, 100, RED)], [(20, 30, 100, RED), (180, 40, 90, BLUE)]


def stay(session, people, looks, step=0.2, begin=0):
    """Go on with frames of the same people, whom the finder need not look for."""
    image = picture(*people)
    faces = scene.Finder()(image)
    session._finder = lambda image: faces
    for index in range(begin, begin + looks):
        yield session.update(Frame(image, step * index))


@pytest.mark.parametrize(
    ("best_looks", "looks", "fewest", "most"),
    [(16, 5, 5, 5), (16, 16, 16, 16), (16, 17, 9, 16), (16, 1000, 9, 16), (8, 1000, 5, 8), (None, 40, 40, 40)],
)
def test_each_is_scored_at_their_best_looks_once(best_looks, looks, fewest, most):
    detector = Counting()
    session = Session(None, detector, best_looks=best_looks)
    list(stay(session, TWO, looks))
    assert detector.scored == ([2] * looks if best_looks is None else [])  # nobody asked yet
    verdicts = session.conclude()
    assert session.conclude() == verdicts
    for person, verdict, answer in zip(session.people.values(), verdicts, (Answer.AI, Answer.REAL), strict=True):
        assert (verdict.answer, person.looks) == (answer, looks)
        assert fewest <= verdict.faces == len(person.each_look) <= most
    assert sum(detector.scored) == sum(len(person.each_look) for person in session.people.values())
    assert len(detector.scored) == (looks if best_looks is None else 1)  # several people's best_looks go together


def test_to_be_watched_costs_a_score_each_second_look_and_changes_no_verdict():
    watched, plain = (Session(None, Counting()) for _ in range(2))
    for seen in stay(watched, TWO, 60):
        watched.shown(seen)
    assert watched._detector.scored == [2] * (3 + 28)  # each until there is a verdict
    list(stay(plain, TWO, 60))
    assert watched.conclude() == plain.conclude()
    assert sum(watched._detector.scored) <= 2 * (31 + 16)  # no look twice


AWAY = 7  # frames until who isn't seen has left


def test_twenty_thousand_looks_are_kept_as_few():
    session = Session(None, Counting())
    for index, seen in enumerate(stay(session, TWO, 10_000)):
        if index % 10 == 0:
            session.shown(seen)
        if index % 500 == 499:
            people, galleries, looks, crops = kept(session)
            assert (people, galleries) == (2, 2)
            assert looks == crops <= 32
    assert [person.looks for person in session.people.values()] == [10_000] * 2
    assert [len(watched.looks) <= 64 for watched in session._steady._watched.values()] == [True] * 2
    assert all(look.crop is None for watched in session._steady._watched.values() for look in watched.looks)
    assert [verdict.answer for verdict in session.conclude()] == [Answer.AI, Answer.REAL]


def test_of_one_who_left_the_gallery_alone_is_kept():
    session = Session(None, Counting())
    list(stay(session, ONE, 16))
    assert kept(session) == (1, 1, 16, 16)
    list(stay(session, [], 8, begin=16))
    assert kept(session) == (1, 1, 16, GALLERY)
    (person,) = session.people.values()
    assert len(person.gallery) == GALLERY
    assert session.conclude()[0].faces == 16


def test_every_look_is_remembered_without_its_crop():
    session = Session(None, Counting(), best_looks=None)
    list(stay(session, ONE, 500))
    (person,) = session.people.values()
    assert len(person.each_look) == 500
    assert all(look.crop is None and look.score > 0.9 for look in person.each_look)
    assert kept(session)[3] <= 16


def test_a_film_of_many_people_does_not_fill_the_memory():
    """Each leaves before the next comes, but the first person stays longest and keeps their crops."""
    session, begin = Session(None, Counting()), 0
    for index in range(2 * GALLERIES):
        looks = 5 if index == 0 else 3
        list(stay(session, [(100, 40, 90, BLUE)], looks, begin=begin))
        list(stay(session, [], AWAY, begin=begin + looks))
        begin += looks + AWAY
    people = list(session.people.values())
    assert kept(session)[:2] == (2 * GALLERIES, GALLERIES)
    assert len(people[0].gallery) == 5
    assert people[-1].gallery
    assert all(person.verdict.answer == Answer.REAL for person in people[:-1])  # known as soon as they have left
    assert [verdict.faces for verdict in session.conclude()] == [5] + [3] * (2 * GALLERIES - 1)


def test_who_was_judged_ai_keeps_their_crops():
    session, begin = Session(None, Counting()), 0
    for index in range(GALLERIES + 5):
        list(stay(session, [(100, 40, 90, RED if index == 3 else BLUE)], 3 if index == 3 else 4, begin=begin))
        list(stay(session, [], AWAY, begin=begin + 4))
        begin += 4 + AWAY
    assert [bool(person.gallery) for person in session.people.values()] == [False] * 3 + [True] + [False] * 2 + [
        True
    ] * (GALLERIES - 1)


def test_a_crowd_is_judged_though_crops_are_kept_of_some():
    crowd = [(10 + 100 * (i % 8), 10 + 100 * (i // 8), 80, (RED, BLUE)[i % 2]) for i in range(GALLERIES + 8)]
    image = picture(*crowd, width=820, height=520)
    faces = scene.Finder()(shrunk(image)[0])
    session = Session(lambda small: faces, Counting())
    for index in range(100):
        session.update(Frame(image, 0.2 * index))
    people, galleries, looks, crops = kept(session)
    assert (people, galleries) == (GALLERIES + 8, GALLERIES)
    assert looks > crops > 0
    verdicts = session.conclude()
    assert sorted(verdict.answer for verdict in verdicts) == [Answer.AI] * 20 + [Answer.REAL] * 20
    assert min(verdict.faces for verdict in verdicts) >= 9
    assert sum(session._detector.scored) <= people * 16 * 5  # n log n, not a hundred looks of each


def test_before_a_camera_that_never_stops_the_least_are_forgotten(monkeypatch):
    monkeypatch.setattr("aiface.analysis.session.PEOPLE", 6)
    session, begin = Session(None, Counting()), 0
    for index in range(20):
        list(stay(session, [(100, 40, 90, RED if index == 2 else BLUE)], 8 if index == 5 else 3, begin=begin))
        list(stay(session, [], AWAY, begin=begin + 8))
        begin += 8 + AWAY
    assert {2, 5, 19} <= set(session.people)
    assert (len(session.people), session.forgotten) == (6, 14)
    assert set(session._with_crops) <= set(session.people)
    assert set(session._steady._watched) == set()
    assert [verdict.answer for verdict in session.conclude()].count(Answer.AI) == 1


def test_an_interrupt_leaves_nobody_who_was_never_seen(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    session = Session(scene.Finder(), scene.detector())
    monkeypatch.setattr("aiface.analysis.look.sharpness", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.update(Frame(picture((100, 40, 100, RED)), 0.0))
    assert session.people == {}


def test_stopwatch():
    stopwatch = Stopwatch()
    assert list(stopwatch.timed("read", [1, 2, 3])) == [1, 2, 3]
    with pytest.raises(ZeroDivisionError), stopwatch("find"):
        _ = 1 / 0
    stopwatch.seconds["find"] = 0.5
    assert set(stopwatch.table(5)) == {"read", "find"}
    assert stopwatch.table(5)["find"] == 100
    assert stopwatch.table(0) == {}
