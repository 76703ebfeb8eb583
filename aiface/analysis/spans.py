"""When in a clip a person looks generated."""

from collections.abc import Iterable
from itertools import groupby, pairwise

import numpy as np

from aiface.analysis.verdict import MIN_FACES, Sighting, pool
from aiface.labels import Answer
from aiface.models.calibration import Calibration

Spans = tuple[tuple[float, float], ...]


def ai_spans(sightings: Iterable[Sighting], calibration: Calibration, first: float, last: float) -> Spans:
    """The spans of time in which a person looks generated: start and end in seconds, in order.

    sightings: scored looks in the order of time. first, last: when the person was first and last seen, in seconds.

    Each usable look is pooled with its neighbours, three in all, as no fewer make a verdict; with fewer than three
    there are no spans. It stands for the time that is nearer to it than to another. Where the answer to its
    pooled score is AI that time looks generated, and such times that touch are one span.
    """
    usable = [sighting for sighting in sightings if sighting.flaw is None]
    if len(usable) < MIN_FACES:
        return ()
    scores = np.array([sighting.score for sighting in usable])
    starts = np.clip(np.arange(len(usable)) - MIN_FACES // 2, 0, len(usable) - MIN_FACES)
    high = calibration.answers(np.array([pool(scores[at : at + MIN_FACES]) for at in starts])) == Answer.AI
    borders = [first, *((a.time + b.time) / 2 for a, b in pairwise(usable)), last]
    runs = [(found, list(indices)) for found, indices in groupby(range(len(usable)), key=high.__getitem__)]
    return tuple((borders[run[0]], borders[run[-1] + 1]) for found, run in runs if found)
