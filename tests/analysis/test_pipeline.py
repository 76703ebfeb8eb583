import gc
import json
import re
import shutil

import numpy as np
import pytest
import scene
from animations import FORMS, animation
from clips import FakeCamera, noise, seconds, text, write_clip
from PIL import Image
from scene import BETWEEN, BLUE, HEIGHT, RED, WIDTH, by_colour, by_side, in_side_light, picture
from web import serving

from aiface.analysis import pipeline
from aiface.analysis.pipeline import analyze, analyze_source, analyze_video, list_inputs
from aiface.analysis.result import Settings
from aiface.analysis.stills import analyze_images
from aiface.analysis.verdict import NO_FACE, UNSTABLE
from aiface.errors import DataError, VideoError
from aiface.labels import Answer
from aiface.video.opening import open_video


def clip(path, image, count=30, step=0.1):
    return write_clip(path, seconds(count, step), image, (WIDTH, HEIGHT))


def couple(index):
    return picture((20 + index, 30, 110, RED), (180, 40, 100 - index // 2, BLUE))


@pytest.fixture(scope="module")
def couple_clip(tmp_path_factory):
    """2.9 s at 10 frames a second of an AI person and, smaller, a real one."""
    return clip(tmp_path_factory.mktemp("clips") / "couple.mp4", couple, count=29)


def save(path, *people, form=None, **options):
    Image.fromarray(picture(*people, **options)).save(path, format=form)
    return path


def judge(source, finder=None, logits=by_colour, **options):
    return analyze_video(source, finder or scene.Finder(), scene.detector(logits), **options)


# Clips


def test_two_people_in_a_clip(couple_clip):
    found = judge(couple_clip)
    assert [verdict.answer for verdict in found.verdicts] == [Answer.AI, Answer.REAL]
    assert found.verdict == found.verdicts[0]
    assert (found.moving, found.error, found.warnings, found.interrupted) == (True, None, [], False)
    assert [verdict.faces for verdict in found.verdicts] == [15, 15]
    assert found.frames == 15
    assert found.seconds == pytest.approx(2.8)
    assert [person.looks for person in found.people] == [15, 15]
    assert found.people[0].last_time == pytest.approx(2.8)


def test_a_row_is_plain(couple_clip):
    found = judge(couple_clip)
    row = found.row()
    assert list(row) == ["path", "verdict", "score", "likelihood_ratio", "people", "reasons", "error"]
    assert row["path"] == str(couple_clip)
    assert row["score"] == found.verdict.score > 0.9
    assert [list(person) for person in row["people"]] == [
        [
            "verdict",
            "score",
            "likelihood_ratio",
            "looks",
            "scored",
            "faces",
            "first_s",
            "last_s",
            "ai_intervals_s",
            "reasons",
        ]
    ] * 2
    assert row["people"][1] == {
        "verdict": "real", "score": found.verdicts[1].score, "likelihood_ratio": None, "looks": 15,
        "scored": 15, "faces": 15,
        "first_s": 0.0, "last_s": pytest.approx(2.8), "ai_intervals_s": [], "reasons": [],
    }  # fmt: skip
    assert row["people"][0]["ai_intervals_s"] == [[0.0, pytest.approx(2.8)]]
    assert json.loads(json.dumps(row)) == row


def test_looks_and_those_that_were_scored_are_told_apart(couple_clip):
    rate, (some, every) = 10.0, (None, None)
    some = judge(couple_clip, settings=Settings(rate)).row()["people"]
    every = judge(couple_clip, settings=Settings(rate, best_looks=None)).row()["people"]
    assert [person["looks"] for person in some + every] == [29] * 4
    assert all(9 <= person["scored"] == person["faces"] <= 16 for person in some)
    assert [person["scored"] for person in every] == [29, 29]
    for one, other in zip(some, every, strict=True):
        assert (one["verdict"], one["first_s"], one["last_s"]) == (other["verdict"], other["first_s"], other["last_s"])
        assert one["ai_intervals_s"] == other["ai_intervals_s"]
        assert one["score"] == pytest.approx(other["score"], abs=0.01)


def test_a_person_who_turns_ai_midway(tmp_path):
    path = clip(tmp_path / "turns.mp4", lambda i: picture((100, 40, 100, RED if i >= 40 else BLUE)), count=80)
    found = judge(path)
    assert len(found.people) == 1
    ((start, end),) = found.row()["people"][0]["ai_intervals_s"]
    assert start == pytest.approx(4.0, abs=0.8)
    assert end == pytest.approx(7.9, abs=0.11)


def test_performance_is_told(couple_clip):
    table = judge(couple_clip).performance
    assert set(table) == {"speed", "read", "find", "crop", "score"}
    assert all(np.isfinite(value) and value > 0 for value in table.values())


@pytest.mark.parametrize(("rate", "frames"), [(2.0, 7), (5.0, 15), (1000.0, 29)])
def test_as_many_frames_are_judged_as_asked(couple_clip, rate, frames):
    found = judge(couple_clip, settings=Settings(rate))
    assert found.frames == frames
    assert len(found.people) == 2  # at any rate, they are the same two


@pytest.mark.parametrize("best_looks", [-1, 0, 5])
def test_too_few_looks_for_a_verdict(best_looks):
    with pytest.raises(ValueError, match="expected best_looks of at least 6, or None"):
        Settings(best_looks=best_looks)


@pytest.mark.parametrize("rate", [0, 1.9, -5, float("inf"), float("nan")])
def test_a_rate_at_which_nobody_can_be_followed(rate):
    with pytest.raises(ValueError, match="expected samples_per_second of at least 2"):
        Settings(rate)


def test_a_clip_without_a_face(tmp_path):
    found = judge(clip(tmp_path / "empty.mp4", lambda _: picture()))
    assert (found.verdict.answer, found.verdict.score, found.verdict.reasons) == (
        Answer.INCONCLUSIVE,
        None,
        (NO_FACE,),
    )
    assert found.row() | {"path": ""} == {
        "path": "", "verdict": "inconclusive", "score": None, "likelihood_ratio": None, "people": [],
        "reasons": [NO_FACE], "error": None,
    }  # fmt: skip


def test_a_face_that_comes_last_is_seen(tmp_path):
    """Its last frame comes after the last regular look."""
    late = clip(tmp_path / "late.mp4", lambda index: picture(*[(100, 40, 90, RED)] * (index > 10)), count=15)
    (person,) = judge(late, settings=Settings(2)).people
    assert [look.time for look in person.each_look] == [pytest.approx(1.4)]
    assert (person.first_time, person.last_time, person.looks) == (pytest.approx(1.4), pytest.approx(1.4), 1)


def test_crops_are_taken_before_anything_is_drawn(couple_clip):
    """What is shown may be drawn upon: it is no part of what is judged."""
    plain = judge(couple_clip)

    def scribble(frame, seen, session):
        frame.image[:] = 0

    scribbled = judge(couple_clip, on_sample=scribble)
    assert scribbled.row() == plain.row()


def test_on_sample_gets_what_was_seen(couple_clip):
    calls = []

    def note(frame, seen, session):
        verdicts = [session.judge(person).answer for person, _ in seen]
        calls.append((round(frame.time, 3), verdicts, session.duration))

    judge(couple_clip, on_sample=note, settings=Settings(2))
    assert [time for time, _, _ in calls] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 2.8]
    assert calls[0][1] == [Answer.INCONCLUSIVE, Answer.INCONCLUSIVE]  # too few looks yet
    assert calls[-1][1] == [Answer.AI, Answer.REAL]
    assert calls[0][2] == pytest.approx(2.9, abs=0.15)


def test_seconds_end_it(couple_clip):
    found = judge(couple_clip, seconds=1.0)
    assert found.seconds == pytest.approx(1.0)
    assert found.frames == 6
    assert not found.interrupted


def interrupting(after):
    finder = scene.Finder()

    def find(image):
        if finder.seen == after:
            raise KeyboardInterrupt
        return finder(image)

    return find


def test_an_interrupt_keeps_what_was_done(couple_clip, monkeypatch):
    opened = []
    monkeypatch.setattr(
        pipeline, "open_video", lambda source, **options: opened.append(open_video(source, **options)) or opened[0]
    )
    found = judge(couple_clip, interrupting(after=8))
    assert found.interrupted
    assert found.frames == 8
    assert [verdict.answer for verdict in found.verdicts] == [Answer.AI, Answer.REAL]
    assert found.warnings == ["stopped by hand, 1.4 s were judged"]
    assert list(opened[0]) == []  # closed


LEFT_LIT, EVEN = in_side_light(100, 40, 100, RED), picture((100, 40, 100, RED))
STABILITY = pytest.mark.parametrize(
    ("image", "logits", "verdict", "reasons"),
    [
        (LEFT_LIT, by_side, Answer.INCONCLUSIVE, (UNSTABLE,)),  # mirrored, it would be real
        (LEFT_LIT, by_colour, Answer.AI, ()),
        (EVEN, by_side, Answer.AI, ()),
        (EVEN, by_colour, Answer.AI, ()),
    ],
    ids=["unstable", "colour alone", "lit evenly", "both"],
)


@STABILITY
@pytest.mark.parametrize("after", [None, 8], ids=["whole", "interrupted"])
def test_an_unstable_clip(tmp_path, image, logits, verdict, reasons, after):
    live = []
    found = judge(
        clip(tmp_path / "clip.mp4", lambda _: image), interrupting(after), logits,
        on_sample=lambda frame, seen, session: live.append(session.judge(seen[0][0]).answer),
    )  # fmt: skip
    assert live[-1] == Answer.AI  # the check comes when all is seen
    assert found.interrupted == (after is not None)
    assert (found.verdict.answer, found.verdict.reasons) == (verdict, reasons)
    assert found.row()["people"][0]["reasons"] == list(reasons)
    assert found.verdict.score > 0.9


@STABILITY
def test_an_unstable_still(tmp_path, image, logits, verdict, reasons):
    Image.fromarray(image).save(tmp_path / "face.png")
    (found,) = analyze_images([tmp_path / "face.png"], scene.Finder(), scene.detector(logits))
    assert (found.verdict.answer, found.verdict.reasons, found.verdict.faces) == (verdict, reasons, 1)
    assert found.verdict.score > 0.9


def test_one_unstable_still_among_others(tmp_path):
    for name, image in {"a": EVEN, "b": picture(), "c": LEFT_LIT, "d": picture((100, 40, 100, BLUE))}.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    found = list(analyze([tmp_path], scene.Finder(), scene.detector(by_side)))
    assert [analysis.verdict.answer for analysis in found] == [
        Answer.AI,
        Answer.INCONCLUSIVE,
        Answer.INCONCLUSIVE,
        Answer.REAL,
    ]
    assert [analysis.verdict.reasons for analysis in found] == [(), (NO_FACE,), (UNSTABLE,), ()]


def in_passes(judge):
    """What `judge` gives of a detector of colours, and how many crops its network was shown."""
    shown = []
    detector = scene.detector(lambda crops: (shown.append(len(crops)), by_colour(crops))[1])
    return judge(detector), sum(shown)


@pytest.mark.parametrize(
    ("colour", "answer", "passes"), [(RED, "ai", 3), (BLUE, "real", 3), (BETWEEN, "inconclusive", 2)]
)
def test_a_still_is_seen_from_both_sides_and_saved_anew_where_that_can_matter(tmp_path, colour, answer, passes):
    path = save(tmp_path / "one.png", (60, 50, 100, colour))
    (found,), shown = in_passes(lambda detector: list(analyze_images([path], scene.Finder(), detector)))
    assert (found.verdict.answer, shown) == (answer, passes)


@pytest.mark.parametrize(
    ("colour", "answer", "more"), [(RED, "ai", 16), (BLUE, "real", 16), (BETWEEN, "inconclusive", 0)]
)
def test_looks_in_a_clip_are_seen_from_one_side_but_for_those_that_tell_whether_it_is_stable(
    tmp_path, colour, answer, more
):
    path = clip(tmp_path / "one.mp4", lambda index: picture((60, 50, 100, colour)))
    found, shown = in_passes(lambda detector: analyze_video(path, scene.Finder(), detector))
    assert found.verdict.answer == answer
    assert found.verdict.faces <= shown <= found.verdict.faces + more  # of the gallery's 8 at most two further views


def test_an_interrupt_before_anything_was_judged(couple_clip):
    found = judge(couple_clip, interrupting(after=0))
    assert found.interrupted
    assert (found.row()["verdict"], found.row()["score"]) == (Answer.INCONCLUSIVE, None)


def camera(monkeypatch, fake):
    monkeypatch.setattr(pipeline, "open_video", lambda source, **options: open_video(source, fake, **options))
    return fake


def test_a_camera_is_recorded_and_released(tmp_path, monkeypatch):
    fake = camera(monkeypatch, FakeCamera())
    found = judge(0, seconds=1.0, record=tmp_path / "out" / "recording.mp4")
    assert fake.released.wait(2)
    assert found.path == "0"
    with open_video(tmp_path / "out" / "recording.mp4") as recording:
        times = [frame.time for frame in recording]
    assert len(times) > found.frames >= 1  # all frames, not only those that were judged
    assert times[-1] >= found.seconds


def test_interrupting_a_camera_keeps_its_recording(tmp_path, monkeypatch):
    fake = camera(monkeypatch, FakeCamera())
    found = judge("0", interrupting(after=3), record=tmp_path / "recording.mp4")
    assert found.interrupted
    assert fake.released.wait(2)
    with open_video(tmp_path / "recording.mp4") as recording:
        assert len(list(recording)) >= 3


def test_a_camera_that_fails_midway_keeps_what_was_done(monkeypatch):
    def unplugged():
        raise OSError("gone")

    camera(monkeypatch, FakeCamera(count=60, end=unplugged))
    found = judge(0)
    assert found.frames >= 1
    assert "gone" in found.warnings[0]
    assert found.verdict.reasons == (NO_FACE,)


def test_a_truncated_clip_says_so(tmp_path):
    path = write_clip(tmp_path / "cut.mp4", seconds(60), noise, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = judge(path)
    assert 0 < found.frames < 30
    assert len(found.warnings) == 1
    assert "its end is missing" in found.warnings[0]


def test_a_folder_of_images_as_a_clip(tmp_path):
    for index in range(4):
        save(tmp_path / f"{index}.png", (100, 40, 100, BLUE))
    (tmp_path / "2.png").write_bytes(b"no image")
    found = judge(tmp_path, settings=Settings(25))
    assert found.frames == 3
    assert (found.verdict.answer, found.verdict.faces) == (Answer.REAL, 3)
    assert found.warnings[0] == "1 of 4 images could not be read"
    assert found.warnings[1].startswith("2.png skipped: ")


# Whatever is named


def nothing(folder):
    return folder / "missing.mp4"


def zero_length(folder):
    (folder / "zero.mp4").touch()
    return folder / "zero.mp4"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def no_image(folder):
    (folder / "no.jpg").write_bytes(b"\xff\xd8 nothing more")
    return folder / "no.jpg"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "expected a video or a folder of images, found neither; check the path"),
        (lambda folder: folder / "missing.png", "expected an image, found no such file; check the path"),
        (zero_length, "expected a video, found an empty file; get another copy"),
        (text, "expected a video"),
        (lambda folder: text(folder, "notes.txt"), "expected a video"),
        (no_image, "expected an? .*image.*(remove or )?replace it"),
        (empty_folder, "expected images or videos in this folder, found none; name another"),
        (lambda folder: folder / ("x" * 300), "File name too long"),
        (lambda folder: "nonsense://host/clip.mp4", "expected a file, or an address .*, found another; fetch it"),
    ],
)
def test_what_cant_be_judged_gets_a_row_that_says_why(tmp_path, make, message):
    path = make(tmp_path)
    finder, detector = scene.Finder(), scene.detector()
    good = save(tmp_path / "good.png", (100, 40, 100, BLUE))
    found, after = analyze([path, good], finder, detector)
    assert found.row() | {"error": ""} == {
        "path": str(path), "verdict": "inconclusive", "score": None, "likelihood_ratio": None, "people": [],
        "reasons": [], "error": "",
    }  # fmt: skip
    assert re.search(message, found.error)
    assert found.error.startswith((str(path), "[Errno")) or path == "nonsense://host/clip.mp4"
    assert after.verdict.answer == Answer.REAL  # the rest is judged all the same


def test_a_folder_mixed(tmp_path, couple_clip):
    (tmp_path / "deep").mkdir()
    save(tmp_path / "a.png", (100, 40, 100, RED))
    shutil.copy(couple_clip, tmp_path / "b.MP4")
    (tmp_path / "c.jpg").write_bytes(b"no image")
    save(tmp_path / "d.webp", (100, 40, 100, BLUE))
    (tmp_path / "notes.txt").write_text("not to be judged")
    save(tmp_path / "deep" / "e.PNG")
    found = list(analyze([tmp_path, couple_clip], scene.Finder(), scene.detector()))
    names = ["a.png", "b.MP4", "c.jpg", "d.webp", "deep/e.PNG"]
    assert [analysis.path for analysis in found] == [*(str(tmp_path / name) for name in names), str(couple_clip)]
    assert [analysis.verdict.answer for analysis in found] == [
        Answer.AI,
        Answer.AI,
        Answer.INCONCLUSIVE,
        Answer.REAL,
        Answer.INCONCLUSIVE,
        Answer.AI,
    ]
    assert [analysis.moving for analysis in found] == [False, True, False, False, False, True]
    assert [bool(analysis.error) for analysis in found] == [False, False, True, False, False, False]


def test_the_content_says_what_a_file_is(tmp_path, couple_clip):
    shutil.copy(couple_clip, tmp_path / "a.jpg")
    save(tmp_path / "b.mp4", (100, 40, 100, BLUE), form="PNG")
    (tmp_path / "c.jpg").write_text("ffconcat version 1.0\nfile a.jpg\n")  # not to be opened as a playlist
    found = list(analyze([tmp_path], scene.Finder(), scene.detector()))
    assert [analysis.moving for analysis in found] == [True, False, False]
    assert [analysis.verdict.answer for analysis in found] == [Answer.AI, Answer.REAL, Answer.INCONCLUSIVE]
    assert "expected an image" in found[2].error
    for path, moving in ((tmp_path / "a.jpg", True), (tmp_path / "b.mp4", False)):
        (one,) = analyze_source(path, scene.Finder(), scene.detector())
        assert (one.moving, one.error) == (moving, None)


@pytest.mark.parametrize("form", FORMS)
def test_an_animation_is_a_clip(tmp_path, form):
    faces = [picture((100 + index, 40, 100, RED)) for index in range(6)]
    path = animation(tmp_path / "a.png", [picture(), *faces], [900, *[200] * 6], form)
    (found,) = analyze([path], scene.Finder(), scene.detector())
    assert (found.moving, found.verdict.answer, found.verdict.faces) == (True, Answer.AI, 6)
    assert found.people[0].first_time == pytest.approx(0.9)
    (still,) = analyze([animation(tmp_path / "b", faces[:1], 200, form)], scene.Finder(), scene.detector())
    assert (still.moving, still.verdict.answer) == (False, Answer.AI)


def test_what_lies_at_an_address(tmp_path, monkeypatch, couple_clip):
    """A picture is fetched, and its copy stays for as long as what was found in it; a clip is played from there."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    moving = animation(tmp_path / "a", [picture((100 + i, 40, 100, RED)) for i in range(6)], 200, "WEBP").read_bytes()
    save(tmp_path / "a", (100, 40, 100, BLUE), form="PNG")
    answers = {"/a.mp4": (tmp_path / "a").read_bytes(), "/b.jpg": couple_clip.read_bytes(), "/c": moving,
               "/d.jpg": b"\x89PNG\r\n\x1a\n nothing more", "/e.jpg": b"<html>"}  # fmt: skip
    (tmp_path / "a").unlink()
    with serving(answers) as (at, _):
        names = [at.replace("http", "HTTP") + path for path in answers]
        found = list(analyze(names, scene.Finder(), scene.detector()))
        assert [analysis.path for analysis in found] == names
        assert [analysis.moving for analysis in found] == [False, True, True, False, False]
        assert [analysis.verdict.answer for analysis in found[:3]] == [Answer.REAL, Answer.AI, Answer.AI]
        assert found[0].file.read_bytes() == answers["/a.mp4"]
        assert re.fullmatch(rf"{names[3]}: expected .*replace it", found[3].error)
        assert re.fullmatch(r"HTTP.*/e\.jpg: expected a picture or a clip, found a web page; .*", found[4].error)
        (one,) = analyze_source(names[0], scene.Finder(), scene.detector())
        assert one.verdict.answer == Answer.REAL
        with pytest.raises(DataError, match="replace it"):
            analyze_source(names[3], scene.Finder(), scene.detector())
    del found, one
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_address(tmp_path, couple_clip):
    save(tmp_path / "a b.png", (100, 40, 100, BLUE))
    shutil.copy(couple_clip, tmp_path / "c%.mp4")
    names = [f"file://{tmp_path}/a%20b.png", f"FILE://localhost{tmp_path}/c%25.mp4", f"file://{tmp_path}"]
    found = list(analyze(names, scene.Finder(), scene.detector()))
    assert [analysis.moving for analysis in found] == [False, True, False, True]
    assert [analysis.verdict.answer for analysis in found] == [Answer.REAL, Answer.AI] * 2
    for name, moving in zip(names[:2], (False, True), strict=True):
        (one,) = analyze_source(name, scene.Finder(), scene.detector())
        assert one.moving is moving


def test_an_interrupted_clip_is_the_last(couple_clip):
    found = list(analyze([couple_clip] * 3, interrupting(after=19), scene.detector()))
    assert [analysis.interrupted for analysis in found] == [False, True]
    assert found[1].frames == 4


def test_list_inputs(tmp_path):
    for name in ("b.jpg", "a/z.mp4", "a/no.txt", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in list_inputs(tmp_path)]
    assert names == [".hidden.png", "a/z.mp4", "b.jpg"]
    assert list_inputs(tmp_path / "b.jpg") == [tmp_path / "b.jpg"]
    with pytest.raises(DataError, match=r"a/no\.txt|expected images or videos"):
        list_inputs(empty_folder(tmp_path))


# What a notebook names


def test_a_source_that_is_a_clip_shows_itself(couple_clip):
    calls = []
    (found,) = analyze_source(
        str(couple_clip), scene.Finder(), scene.detector(), on_sample=lambda *_: calls.append(1), seconds=1.0
    )
    assert found.verdict.answer == Answer.AI
    assert len(calls) == found.frames == 6


def test_a_source_that_is_a_camera(monkeypatch):
    camera(monkeypatch, FakeCamera())
    (found,) = analyze_source(0, scene.Finder(), scene.detector(), seconds=0.3)
    assert found.moving


def test_a_source_of_many(tmp_path):
    save(tmp_path / "a.png", (100, 40, 100, RED))
    save(tmp_path / "b.png", (100, 40, 100, BLUE))
    found = analyze_source(tmp_path, scene.Finder(), scene.detector())
    assert [analysis.verdict.answer for analysis in found] == [Answer.AI, Answer.REAL]
    (found,) = analyze_source(str(tmp_path / "b.png"), scene.Finder(), scene.detector())
    assert found.verdict.answer == Answer.REAL


@pytest.mark.parametrize(("make", "error"), [(no_image, DataError), (empty_folder, DataError), (text, VideoError)])
def test_a_source_that_cant_be_judged(tmp_path, make, error):
    with pytest.raises(error, match="expected"):
        analyze_source(make(tmp_path), scene.Finder(), scene.detector())
