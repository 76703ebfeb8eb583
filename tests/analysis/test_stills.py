import time
from threading import Event

import numpy as np
import pytest
import scene
from PIL import Image
from scene import BLUE, RED, by_colour, picture

from aiface.analysis import stills
from aiface.analysis.pipeline import analyze
from aiface.analysis.stills import analyze_images
from aiface.analysis.verdict import NO_FACE
from aiface.errors import ModelError
from aiface.labels import Answer


def save(path, *people, form=None, **options):
    Image.fromarray(picture(*people, **options)).save(path, format=form)
    return path


def test_faces_of_an_image(tmp_path):
    (found,) = analyze_images(
        [save(tmp_path / "both.png", (20, 30, 100, RED), (180, 40, 90, BLUE))], scene.Finder(), scene.detector()
    )
    assert [verdict.answer for verdict in found.verdicts] == [Answer.AI, Answer.REAL]
    assert found.verdict == found.verdicts[0]
    assert (found.moving, found.frames, found.row()["people"][0]["last_s"]) == (False, 1, 0.0)
    assert found.people[0].gallery[0].crop.shape == (256, 256, 3)
    assert (found.row()["people"][0]["looks"], found.row()["people"][0]["ai_intervals_s"]) == (1, None)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_picture_that_lies_sideways_is_judged_and_says_so(tmp_path, turns):
    """Faces are found upright alone; where they are is told of the picture as it is."""

    class Upright(scene.Finder):
        def __call__(self, image):
            return super().__call__(image) if image[0, 0, 0] > 200 else []

    image = picture((80, 40, 100, RED))
    image[:4, :4] = 255
    Image.fromarray(np.rot90(image, -turns)).save(tmp_path / "a.png")
    (found,) = analyze_images([tmp_path / "a.png"], Upright(), scene.detector())
    assert found.verdict.answer == Answer.AI
    told = (
        f"no face was found in the picture as it lies, but one after turning it by {360 - 90 * turns} degrees clockwise"
    )
    assert found.warnings == ([told] if turns else [])
    x, y, width, height = found.people[0].trail.at(0)
    ((top, bottom), (left, right)) = (
        (edge.min(), edge.max() + 1) for edge in np.nonzero(reds(np.rot90(image, -turns)))
    )
    assert (x, y, x + width, y + height) == pytest.approx((left, top, right, bottom), abs=2)


def reds(image):
    return np.ptp(image.astype(int), axis=2) > 45


def test_many_images_are_judged_each_for_itself(tmp_path, monkeypatch):
    """Faces of several images go through the network together, whatever their number in each."""
    monkeypatch.setattr(stills, "AT_ONCE", 4)
    kinds = [[RED], [], [BLUE], [BLUE, RED], [RED], [], [], [], [BLUE]]
    paths = []
    for index, colours in enumerate(kinds):
        people = [(10 + 150 * i, 30, 100 - 5 * i, colour) for i, colour in enumerate(colours)]
        paths.append(save(tmp_path / f"{index}.png", *people))
    paths.insert(3, tmp_path / "missing.png")
    found = list(analyze_images(paths, scene.Finder(), scene.detector()))
    assert [analysis.path for analysis in found] == [str(path) for path in paths]
    verdicts = [[verdict.answer for verdict in analysis.verdicts] for analysis in found]
    assert verdicts == [
        [Answer.AI],
        [],
        [Answer.REAL],
        [],
        [Answer.REAL, Answer.AI],
        [Answer.AI],
        [],
        [],
        [],
        [Answer.REAL],
    ]
    assert [analysis.error is None for analysis in found] == [index != 3 for index in range(10)]
    assert found[1].verdict.reasons == (NO_FACE,)


@pytest.mark.parametrize(
    ("side", "verdict", "reasons"),
    [(100, Answer.AI, ()), (60, Answer.INCONCLUSIVE, ("face too small (under 64 pixels across the crop)",))],
)
def test_a_small_face(tmp_path, side, verdict, reasons):
    (found,) = analyze([save(tmp_path / "face.png", (40, 30, side, RED))], scene.Finder(), scene.detector())
    assert (found.verdict.answer, found.verdict.reasons) == (verdict, reasons)
    assert found.verdict.score > 0.9


def one_each(folder, count):
    folder.mkdir()
    return [save(folder / f"{index}.png", (60, 50, 100, RED)) for index in range(count)]


def test_pictures_named_one_by_one_go_through_the_network_together(tmp_path):
    shown = []
    detector = scene.detector(lambda crops: (shown.append(len(crops)), by_colour(crops))[1])
    named = [*one_each(tmp_path / "some", 3), tmp_path / "missing", *one_each(tmp_path / "more", 2), tmp_path / "some"]
    found = list(analyze(named, scene.Finder(), detector))
    assert [bool(analysis.error) for analysis in found] == [False] * 3 + [True] + [False] * 5
    assert [passes for passes in shown if passes > 1] == [2 * 3, 2 * 5]  # each from both sides


def test_the_next_faces_are_found_while_some_are_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(stills, "AT_ONCE", 2)
    finder, third = scene.Finder(), Event()

    def find(image):
        if finder.seen == 2:
            third.set()
        return finder(image)

    def score(crops):
        assert third.wait(10)  # else it is looked for only after these two were scored
        return by_colour(crops)

    found = list(analyze_images(one_each(tmp_path / "some", 3), find, scene.detector(score)))
    assert [analysis.verdict.answer for analysis in found] == [Answer.AI] * 3


def test_who_takes_no_more_ends_the_search(tmp_path, monkeypatch):
    monkeypatch.setattr(stills, "AT_ONCE", 1)
    finder = scene.Finder()
    found = analyze_images(one_each(tmp_path / "some", 9), finder, scene.detector())
    next(found)
    found.close()
    seen = finder.seen
    assert seen <= 4
    time.sleep(0.1)
    assert finder.seen == seen


def test_what_lies_with_the_finder_is_raised(tmp_path):
    def broken(image):
        raise ModelError("expected a network, found none")

    with pytest.raises(ModelError, match="expected a network"):
        list(analyze_images(one_each(tmp_path / "some", 1), broken, scene.detector()))
