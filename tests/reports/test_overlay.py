import av
import numpy as np
import pytest
import scene
from animations import animation
from clips import write_clip
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.look import Look
from aiface.analysis.person import LINGER, Person, Trail
from aiface.analysis.pipeline import analyze, analyze_video
from aiface.analysis.result import Settings
from aiface.analysis.session import Session
from aiface.analysis.verdict import Verdict
from aiface.drawing import COLOURS
from aiface.errors import VideoError
from aiface.labels import Answer
from aiface.reports import overlay
from aiface.reports.overlay import (
    annotate,
    annotate_image,
    annotate_video,
    draw,
    label,
    live_marks,
    people_at,
)
from aiface.video.opening import Frame, open_video

BOX = (60, 50, 80, 90)
TRAILS = Settings(trails=True)


def person(*looks):
    found = Person(0, trail=Trail())
    for time, box in looks:
        found.see(Look(time, box, 0.5, 200, 9))
    return found


MOVING = person((1.0, (0, 0, 10, 10)), (1.2, (20, 10, 10, 20)), (2.0, (20, 10, 30, 20)))


def test_people_at():
    people = [person((0.0, BOX)), person((5.0, BOX)), MOVING]
    verdicts = [Verdict(Answer.AI, 0.97), Verdict(Answer.REAL, 0.02), Verdict(Answer.INCONCLUSIVE, None)]
    assert people_at(people, verdicts, 0.2) == [(BOX, "AI 0.97", Answer.AI)]
    assert people_at(people, verdicts, 5.0) == [(BOX, "real 0.02", Answer.REAL)]
    assert people_at(people, verdicts, 2.0) == [((20, 10, 30, 20), "inconclusive", Answer.INCONCLUSIVE)]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(Answer.AI, 0.974), "AI 0.97"),
        (Verdict(Answer.REAL, 0.02), "real 0.02"),
        (Verdict(Answer.INCONCLUSIVE, 0.5), "inconclusive 0.50"),
        (Verdict(Answer.INCONCLUSIVE, None), "inconclusive"),
    ],
)
def test_label(verdict, expected):
    assert label(verdict) == expected


def test_live_marks():
    session = Session(scene.Finder(), scene.detector())
    for index in range(3):
        seen = session.update(Frame(people(0), 0.2 * index))
        marks = live_marks(seen, session)
        if index < 2:
            assert [(text, verdict) for _, text, verdict in marks] == [("looking...", Answer.INCONCLUSIVE)] * 2
    assert [text.split()[0] for _, text, _ in marks] == ["AI", "real"]
    assert [verdict for *_, verdict in marks] == [Answer.AI, Answer.REAL]
    assert [box for box, *_ in marks] == [look.box for _, look in seen]


@pytest.mark.parametrize("size", [(320, 180), (64, 48), (1920, 1080)])
def test_a_text_in_the_corner(size):
    image = picture(width=size[0], height=size[1])
    drawn = draw(image, [], "30 fps, 25 ms")
    changed = np.any(drawn != image, axis=2)
    assert changed[:8, :8].any()
    assert not changed[size[1] // 2 :].any()
    assert (drawn[changed] > 200).all(axis=1).any()  # white on
    assert (drawn[changed] == 0).all(axis=1).any()  # black
    np.testing.assert_array_equal(draw(image, [], ""), image)


def test_drawing_leaves_the_image_as_it_is():
    image = picture()
    image.flags.writeable = False
    drawn = draw(image, [(BOX, "AI 0.97", Answer.AI)])
    np.testing.assert_array_equal(image, picture())
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert drawn is not image
    np.testing.assert_array_equal(draw(image, []), image)


@pytest.mark.parametrize("verdict", [Answer.REAL, Answer.AI, Answer.INCONCLUSIVE])
def test_a_box_is_drawn_around_and_a_tag_above(verdict):
    drawn = draw(picture(), [(BOX, "0.97", verdict)])
    changed = np.any(drawn != picture(), axis=2)
    x, y, width, height = BOX
    for row, column in ((y, x + 60), (y + height, x + 40), (y + 40, x), (y + 40, x + width)):
        np.testing.assert_array_equal(drawn[row, column], COLOURS[verdict])
    assert not changed[y + 5 : y + height - 5, x + 5 : x + width - 5].any()  # the face itself stays to be seen
    assert not changed[y + height + 5 :].any()
    tag = drawn[y - 15 : y - 3, x : x + 40].reshape(-1, 3)
    assert (tag == COLOURS[verdict]).all(axis=1).any()
    assert tag.min(axis=1).max() > 200  # white letters


@pytest.mark.parametrize("size", [(320, 180), (64, 48), (1920, 1080), (40, 400)])
@pytest.mark.parametrize("where", [(0, 0), (0.9, 0.0), (-0.2, 0.4), (0.9, 0.95), (0.5, -0.1)])
def test_a_tag_stays_inside_the_image(size, where, monkeypatch):
    tags = []
    real = overlay.cv2.rectangle

    def note(image, start, end, colour, thickness, *rest):
        if thickness == -1:
            tags.append((start, end))
        return real(image, start, end, colour, thickness, *rest)

    monkeypatch.setattr(overlay.cv2, "rectangle", note)
    width, height = size
    box = (where[0] * width, where[1] * height, 0.2 * width, 0.2 * height)
    draw(picture(width=width, height=height), [(box, "inconclusive 0.50", Answer.INCONCLUSIVE)])
    (((left, top), (right, bottom)),) = tags
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


# Clips and images written again


def people(index):
    return picture((20 + 2 * index, 50, 90, RED), (210, 60, 90, BLUE))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """2.4 s of two people, at a frame rate that changes, with a tone; and its analysis."""
    times = [*np.arange(0, 1, 1 / 20), *np.arange(1, 2.4, 1 / 10)]
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write_clip(path, times, people, (WIDTH, HEIGHT), tone=(0, 2.4))
    return path, analyze_video(path, scene.Finder(), scene.detector(), TRAILS)


def frames_of(path):
    with open_video(path) as video:
        return list(video)


def seconds_of_sound(path):
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def test_an_annotated_clip_keeps_time_and_sound(clip, tmp_path):
    path, analysis = clip
    out = annotate(analysis, path, tmp_path / "out")
    assert out == tmp_path / "out" / "annotated.mp4"
    before, after = frames_of(path), frames_of(out)
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=1e-3)
    assert seconds_of_sound(out) == pytest.approx(seconds_of_sound(path), abs=0.15)


def test_an_annotated_clip_shows_each_persons_verdict(clip, tmp_path):
    path, analysis = clip
    out = annotate_video(analysis, path, tmp_path / "out.mp4")
    for index, (plain, drawn) in enumerate(zip(frames_of(path), frames_of(out), strict=True)):
        moved = 20 + 2 * index
        for left, verdict in ((moved, Answer.AI), (210, Answer.REAL)):
            side = drawn.image[80:130, left - 1 : left + 2].reshape(-1, 3).astype(int)
            assert np.abs(np.median(side, axis=0) - COLOURS[verdict]).max() < 60
        untouched = np.s_[80:130, moved + 10 : moved + 80]
        assert np.abs(drawn.image[untouched].astype(int) - plain.image[untouched]).mean() < 12


def test_annotating_ends_where_the_analysis_ended(clip, tmp_path):
    path, _ = clip
    short = analyze_video(path, scene.Finder(), scene.detector(), TRAILS, seconds=1.0)
    out = annotate_video(short, path, tmp_path / "out.mp4")
    assert frames_of(out)[-1].time == pytest.approx(1.0 + LINGER, abs=0.11)


def test_progress_sees_every_frame(clip, tmp_path):
    path, analysis = clip
    seen = []
    annotate_video(analysis, path, tmp_path / "out.mp4", lambda frames: (seen.append(f.time) or f for f in frames))
    assert len(seen) == len(frames_of(path))


def test_a_clip_without_a_face_comes_back_plain(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", np.arange(5) / 10, lambda _: picture(), (WIDTH, HEIGHT))
    analysis = analyze_video(path, scene.Finder(), scene.detector(), TRAILS)
    for frame in frames_of(annotate(analysis, path, tmp_path)):
        assert np.abs(frame.image.astype(int) - picture()).max() < 8


def test_a_folder_of_images_is_annotated_without_sound(tmp_path):
    (tmp_path / "images").mkdir()
    for index in range(6):
        Image.fromarray(people(index)).save(tmp_path / "images" / f"{index}.png")
    analysis = analyze_video(tmp_path / "images", scene.Finder(), scene.detector(), TRAILS)
    assert len(frames_of(annotate(analysis, tmp_path / "images", tmp_path))) == 6


def test_an_animation_is_annotated_as_a_clip(tmp_path):
    faces = [picture((100 + index, 40, 100, RED)) for index in range(6)]
    path = animation(tmp_path / "a.webp", [picture(), *faces], [400, *[200] * 6], "WEBP")
    (found,) = analyze([path], scene.Finder(), scene.detector(), Settings(trails=True))
    with open_video(annotate(found, path, tmp_path)) as video:
        images = {round(frame.time, 3): frame.image for frame in video}
    assert list(images) == pytest.approx([0, 0.2, *np.arange(0.4, 1.5, 0.2)])
    assert np.ptp(images[0].astype(int), axis=2).max() < 30 < np.ptp(images[0.8].astype(int), axis=2).max()


def test_an_annotated_image(tmp_path):
    Image.fromarray(people(0)).save(tmp_path / "both.webp", lossless=True)
    (analysis,) = analyze([tmp_path / "both.webp"], scene.Finder(), scene.detector())
    out = annotate(analysis, tmp_path / "both.webp", tmp_path / "out")
    assert out == tmp_path / "out" / "annotated.png"
    drawn = np.asarray(Image.open(out))
    np.testing.assert_array_equal(drawn[100, 20], COLOURS[Answer.AI])
    np.testing.assert_array_equal(drawn[100, 210], COLOURS[Answer.REAL])


def test_an_annotated_image_that_fails_leaves_nothing(tmp_path, monkeypatch):
    Image.fromarray(people(0)).save(tmp_path / "both.png")
    (analysis,) = analyze([tmp_path / "both.png"], scene.Finder(), scene.detector())
    monkeypatch.setattr(overlay, "draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        annotate_image(analysis, tmp_path / "out" / "annotated.png")
    assert list((tmp_path / "out").iterdir()) == []


def test_without_trails_there_are_no_boxes_to_draw(clip, tmp_path):
    path, _ = clip
    analysis = analyze_video(path, scene.Finder(), scene.detector())
    with pytest.raises(ValueError, match=r"expected an analysis by Settings\(trails=True\)"):
        annotate(analysis, path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_is_gone(clip, tmp_path):
    _, analysis = clip
    with pytest.raises(VideoError, match=r"missing\.mp4: expected a video"):
        annotate_video(analysis, tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
