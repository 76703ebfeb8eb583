"""Judge an image, a video, a folder or a camera: frames to faces to people to verdicts."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from math import inf
from pathlib import Path
from shutil import rmtree
from typing import cast
from weakref import finalize

from aiface.analysis.result import Analysis, Settings, finder_name, reason
from aiface.analysis.session import Looks, Session
from aiface.analysis.stills import analyze_images
from aiface.analysis.verdict import judge_input
from aiface.errors import DataError, VideoError
from aiface.faces.finder import Finder
from aiface.io.addresses import fetch, is_web, local
from aiface.io.animations import is_animated
from aiface.io.files import check_opens, number_of
from aiface.io.media_kinds import VIDEO, is_image, is_picture
from aiface.io.sources import list_inputs, search
from aiface.io.walk import FILE, cannot_open, what
from aiface.models.detector import Detector
from aiface.provenance.inspector import kind
from aiface.video.opening import Frame, open_video, sample
from aiface.video.writer import VideoWriter

FETCHED = "the server gives files from their start alone, so the clip was fetched whole before it was judged"

OnSample = Callable[[Frame, Looks, Session], None]


def analyze_video(
    source: str | Path | int,
    finder: Finder,
    detector: Detector,
    settings: Settings = Settings(),
    on_sample: OnSample | None = None,
    record: str | Path | None = None,
    seconds: float | None = None,
) -> Analysis:
    """Judge each person in a clip, a URL, a folder of images or a camera.

    `on_sample` is called with each sampled frame, the people seen in it and the session. `record` saves the frames of
    a camera as a clip. After `seconds` it stops. Interrupting it (Ctrl-C, or the notebook's stop button) keeps what
    was done: the source is released and the analysis says `interrupted`. A camera that fails midway ends with a
    warning. Raises `VideoError` for nothing to read.
    """
    used = settings.row() | {"faces_by": finder_name(finder)}
    analysis = Analysis(str(source), moving=True, settings=used)
    session = Session(
        finder, detector, best_looks=settings.best_looks, trails=settings.trails, glances=on_sample is None
    )
    start = time.perf_counter()
    with ExitStack() as stack:
        rate = inf if record else settings.samples_per_second
        video = stack.enter_context(open_video(source, rate=rate, isolated=not record))
        session.duration = video.duration
        frames: Iterable[Frame] = video
        if record:
            writer = stack.enter_context(VideoWriter(record, video.width, video.height))
            frames = _written(video, writer)
        try:
            for frame in session.stopwatch.timed("read", sample(frames, settings.samples_per_second)):
                if seconds is not None and frame.time > seconds:
                    break
                seen = session.update(frame)
                analysis.frames, analysis.seconds = analysis.frames + 1, frame.time
                if on_sample:
                    on_sample(frame, seen, session)
        except KeyboardInterrupt:
            analysis.interrupted = True
            analysis.warnings.append(f"stopped by hand, {analysis.seconds:.1f} s were judged")
        except VideoError as error:  # such as a camera that was pulled out
            if not analysis.frames:
                raise
            analysis.warnings.append(str(error))
        analysis.warnings += [warning for warning in (video.warning,) if warning]
        analysis.warnings += [f"{name} skipped: {reason}" for name, reason in video.skipped]
    analysis.people, analysis.verdicts = list(session.people.values()), session.conclude()
    if session.forgotten:
        analysis.warnings.append(f"{number_of(session.forgotten, 'more person', 'more people')}, seen least, left out")
    analysis.verdict = judge_input(analysis.verdicts)
    analysis.performance = {"speed": analysis.seconds / (time.perf_counter() - start)}
    analysis.performance |= session.stopwatch.table(analysis.frames)
    return analysis


def _written(frames: Iterable[Frame], writer: VideoWriter) -> Iterator[Frame]:
    for frame in frames:
        writer.write(frame)
        yield frame


def analyze(
    paths: Iterable[str | Path], finder: Finder, detector: Detector, settings: Settings = Settings()
) -> Iterator[Analysis]:
    """Judge files and folders, one `Analysis` for each file in order; what can't be judged comes with its `error`.

    One that was `interrupted` is the last.
    """
    for still, group in groupby(_inputs(paths), key=_is_still):
        if still:
            yield from analyze_images(cast(Iterator[str | Path], group), finder, detector)
            continue
        for found in group:
            analysis = found if isinstance(found, Analysis) else _analyze_or_say(found, finder, detector, settings)
            yield analysis
            if analysis.interrupted:
                return


def _inputs(paths: Iterable[str | Path]) -> Iterator[str | Path | Analysis]:
    """What files and folders hold, in order, and an analysis of what can't be opened or holds nothing."""
    for path in paths:
        found = search(path)
        yield from (Analysis(str(folder), error=cannot_open(folder, why)) for folder, why in found.unreadable)
        if found.unreadable and not found.inputs:
            continue
        try:
            yield from list_inputs(path, found)
        except DataError as error:
            yield Analysis(str(path), error=str(error))


def _is_still(path: str | Path | Analysis) -> bool:
    """Whether to read an input as a still: by its content; by its name where that is no picture's nor a clip's."""
    if isinstance(path, Analysis) or "://" in str(path) or what(path) != FILE:
        return False
    try:
        return not is_animated(path) if is_picture(path) else is_image(Path(path)) and kind(path) != VIDEO
    except (DataError, OSError, ValueError):  # what reads it says what is wrong
        return is_image(Path(path))


def analyze_source(
    source: str | Path | int,
    finder: Finder,
    detector: Detector,
    settings: Settings = Settings(),
    on_sample: OnSample | None = None,
    record: str | Path | None = None,
    seconds: float | None = None,
) -> list[Analysis]:
    """Judge what a notebook's `SOURCE` names: an image, a folder of images and videos, or what `analyze_video` takes.

    Raises `DataError` or `VideoError` if a single source can't be judged.
    """
    path = None if isinstance(source, int) or "://" in str(local(source)) else Path(local(source))
    fetched = _judge_address(str(source), finder, detector, settings) if is_web(source) else None
    if fetched or (path and (path.is_dir() or _is_still(path))):
        analyses = [fetched] if fetched else list(analyze([str(path)], finder, detector, settings))
        if len(analyses) == 1 and analyses[0].error:
            raise DataError(analyses[0].error)
        return analyses
    return [analyze_video(source, finder, detector, settings, on_sample, record, seconds)]


def _analyze_or_say(path: str | Path, finder: Finder, detector: Detector, settings: Settings) -> Analysis:
    try:
        if "://" not in str(path):
            check_opens(path)
        if is_web(path) and (found := _judge_address(str(path), finder, detector, settings)):
            return found
        return analyze_video(path, finder, detector, settings)
    except Exception as error:  # whatever it is, the other inputs are judged
        return Analysis(str(path), error=reason(path, error))


def _judge_address(address: str, finder: Finder, detector: Detector, settings: Settings) -> Analysis | None:
    """What is found in what has to be fetched from an address, whose copy stays for as long as this does; else None."""
    if (copy := fetch(address)) is None:
        return None
    (analysis,) = analyze([copy], finder, detector, settings)
    found = analysis.named(address)
    found.warnings += [FETCHED] if found.moving else []
    finalize(found, rmtree, copy.parent, ignore_errors=True)
    return found
