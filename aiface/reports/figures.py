"""A judged input in figures, for notebooks: scores over time and best crops, as `Figure`s that belong to no window."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX, grid, shade
from aiface.models.calibration import Calibration
from aiface.models.grad_cam import overlay_heat
from aiface.reports.faces import chosen
from aiface.reports.overlay import label

_BLANK = np.full((1, 1, 3), 255, np.uint8)


def timeline(analysis: Analysis, calibration: Calibration) -> Figure:
    """Each person's scored looks over time, with the inconclusive band shaded; of many, 12 have names, see `gallery`.

    In a person's own colour: the spans in which they look generated.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots()
    shade(axes.axhspan, calibration.real_below, calibration.ai_from)
    named = chosen(analysis.people, analysis.verdicts)
    for index, (person, verdict) in enumerate(zip(analysis.people, analysis.verdicts, strict=True)):
        times = [look.time for look in person.each_look]
        scores = np.array([look.score for look in person.each_look], np.float64)
        name = f"person {index + 1}: {label(verdict)}"
        style = {"label": name} if index in named else {"color": "lightgrey", "zorder": 1}
        (line,) = axes.plot(times, scores, ".-", linewidth=1, **style)
        for start, end in verdict.ai_spans:
            axes.axvspan(start, end, color=line.get_color(), alpha=0.15, linewidth=0, zorder=0)
    axes.set(xlabel="time in s", ylabel="score, P(AI)", ylim=(-0.02, 1.02), xlim=(0, max(analysis.seconds, 0.1)))
    if analysis.people:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        axes.text(0.5, 0.5, "no face found", transform=axes.transAxes, ha="center", va="center", color="grey")
    return figure


def gallery(people: Sequence[Person], verdicts: Sequence[Verdict], heats: Sequence[np.ndarray] | None = None) -> Figure:
    """A row of each person's best crops, with the time and the score of each, and under its heat if that is given.

    Of many people in a clip it shows 12: those judged AI first, then those seen longest. People of whom there is but
    one crop each, as in an image, stand side by side.
    """
    rows = [person.gallery for person in people]
    width = max(map(len, rows), default=1)
    shown = chosen(people, verdicts) if width > 1 else range(len(people))
    images: list[np.ndarray] = []
    titles: list[str] = []
    colours: list[str] = []
    for index in shown:
        row = rows[index]
        times = [f"{look.time:.1f} s, " if width > 1 else "" for look in row]
        crops = [look.crop for look in row if look.crop is not None]
        images += crops if heats is None else map(overlay_heat, crops, heats[index])
        images += [_BLANK] * (width - len(row))
        titles += [f"{index + 1}: {time}{look.score:.2f}" for time, look in zip(times, row, strict=True)]
        titles += [""] * (width - len(row))
        colours += [HEX[verdicts[index].answer]] * width
    return grid(images, titles, width if width > 1 else min(8, max(1, len(images))), colours)
