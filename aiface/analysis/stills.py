"""Judge images, many of a folder at once: faces to scores to verdicts."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from aiface.analysis.look import look_at
from aiface.analysis.person import Person, Trail
from aiface.analysis.result import Analysis, finder_name, reason
from aiface.analysis.verdict import judge_input, judge_person
from aiface.faces.crop import crop_face
from aiface.faces.finder import Face, Finder
from aiface.faces.stills import find_in_still
from aiface.io.files import check_opens
from aiface.io.formats import pages
from aiface.io.images import read_image
from aiface.labels import Answer
from aiface.models.detector import Detector
from aiface.video.prefetch import Ahead

AT_ONCE = 8  # images that are scored in one go
TURNED = "no face was found in the picture as it lies, but one after turning it by {} degrees clockwise"

Faces = list[tuple[Analysis, Face, np.ndarray]]  # whose it is, where, and its crop


def analyze_images(paths: Iterable[str | Path], finder: Finder, detector: Detector) -> Iterator[Analysis]:
    """Judge each face in each image; one that can't be read comes back with its `error`.

    Faces of the next images are found while those of some are scored, on other cores where there are any: `paths` may
    be asked for in another thread.
    """
    with closing(Ahead(_found(paths, finder), depth=1)) as chunks:
        for analyses, faces in chunks:
            _judge_faces(faces, detector)
            for analysis in analyses:
                if analysis.error is None:
                    analysis.verdict = judge_input(analysis.verdicts)
                yield analysis


def _found(paths: Iterable[str | Path], finder: Finder) -> Generator[tuple[list[Analysis], Faces], None, None]:
    """Several images at a time with the faces in them, not judged yet."""
    left = iter(paths)
    while chunk := list(islice(left, AT_ONCE)):
        analyses = [Analysis(str(path), frames=1, settings={"faces_by": finder_name(finder)}) for path in chunk]
        faces: Faces = []
        for path, analysis in zip(chunk, analyses, strict=True):
            try:
                faces += [(analysis, face, crop) for face, crop in _find(path, analysis, finder)]
            except Exception as error:  # whatever it is, the other images are judged
                analysis.error = reason(path, error)
        yield analyses, faces


def _find(path: str | Path, analysis: Analysis, finder: Finder) -> list[tuple[Face, np.ndarray]]:
    """The faces of an image and their crops; what there is to say of it goes to `analysis`."""
    check_opens(path)
    image = read_image(path)
    faces, turned = find_in_still(finder, image)
    found = [(face, crop_face(image, face)) for face in faces]
    analysis.warnings += [TURNED.format(turned)] if turned else []
    analysis.warnings += filter(None, [pages.note(path)])
    return found


def _judge_faces(found: Faces, detector: Detector) -> None:
    """Score the faces of several images together, and judge each and its image."""
    crops = np.array([crop for *_, crop in found])
    sides = detector.sides(crops)
    scores, art = detector.score_of(sides), detector.is_art(crops).tolist()
    for at, (analysis, face, crop) in enumerate(found):
        person = Person(len(analysis.people), trail=Trail())
        person.see(replace(look_at(face, crop, 0.0), score=float(scores[at])))
        verdict = judge_person(person.each_look, detector.calibration, moving=False, art=art[at])
        if verdict.answer != Answer.INCONCLUSIVE:  # whether a score is stable can't make more of that
            spread = detector.spread(crops[at : at + 1], sides[:, at : at + 1])
            verdict = judge_person(person.each_look, detector.calibration, moving=False, spread=spread)
        analysis.people.append(person)
        analysis.verdicts.append(verdict)
