"""Every figure. Each function returns a matplotlib `Figure` that belongs to no window and can be saved or shown."""

from collections.abc import Callable, Sequence
from heapq import nlargest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import CLASS_COLOURS, HEX
from aiface.labels import AI, NAMES, REAL, Answer
from aiface.models.calibration import Calibration
from aiface.models.grad_cam import overlay_heat
from aiface.reports.overlay import label as verdict_label

PEOPLE = 12  # of a clip shown in a figure
_BLANK = np.full((1, 1, 3), 255, np.uint8)


def grid(images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 8, colours: Sequence = ()) -> Figure:
    """Small pictures in rows, each with a title above."""
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.5 * columns, 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for i, (axes, image, title) in enumerate(zip(panels, images, titles, strict=False)):
        axes.imshow(image)
        axes.set_title(title, fontsize=8, color=colours[i] if len(colours) else "black")
    return figure


def samples(images: Sequence[np.ndarray], labels: Sequence[int], sources: Sequence[str], columns: int = 8) -> Figure:
    """Crops with their source, coloured by class."""
    titles = [f"{NAMES[label]}: {source}" for label, source in zip(labels, sources, strict=True)]
    return grid(images, titles, columns, [CLASS_COLOURS[label] for label in labels])


def history(rows: Sequence[dict]) -> Figure:
    """Loss and validation AUC by epoch, from a run's history."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] + 1 for row in rows]
    left.plot(epochs, [row["loss"] for row in rows], ".-", color="black")
    left.set(xlabel="epoch", ylabel="training loss")
    for key in sorted({key for row in rows for key in row if key.startswith("auc")}):
        style = {"color": "black", "linewidth": 2} if key == "auc" else {"linewidth": 1}
        right.plot(epochs, [row[key] for row in rows], ".-", label=key.removeprefix("auc/"), **style)
    right.set(xlabel="epoch", ylabel="validation AUC")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if rows:
        right.legend(fontsize=8)
    return figure


def performance(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> Figure:
    """ROC curve, confusion at the AI threshold, and the scores of both classes."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    roc, matrix, histogram = figure.subplots(1, 3)
    _roc(roc, scores, labels)
    _confusion(matrix, scores, labels, calibration)
    _histogram(histogram, scores, labels, calibration)
    return figure


def _roc(axes: Axes, scores: np.ndarray, labels: np.ndarray) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve  # here: half a second to import, which reports don't need

    false_positive, true_positive, _ = roc_curve(labels, scores)
    axes.plot(false_positive, true_positive, color="black")
    axes.plot((0, 1), (0, 1), color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", aspect="equal")
    axes.set_title(f"ROC, AUC {roc_auc_score(labels, scores):.3f}")


def _confusion(axes: Axes, scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> None:
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels, calibration.answers(scores) == Answer.AI, labels=(REAL, AI))
    axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Greys", vmin=0, vmax=1.6)
    for (row, column), number in np.ndenumerate(counts):
        axes.text(column, row, number, ha="center", va="center", fontsize=13)
    axes.set(xticks=(0, 1), xticklabels=("not called AI", "called AI"), yticks=(0, 1), yticklabels=NAMES)
    axes.set_title(f"at the threshold {calibration.ai_from:.2f}")


def _histogram(axes: Axes, scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> None:
    for label, name in enumerate(NAMES):
        axes.hist(
            scores[labels == label], np.linspace(0, 1, 31).tolist(), alpha=0.6, color=CLASS_COLOURS[label], label=name
        )
    _band(axes.axvspan, calibration)
    axes.set(xlabel="score, P(AI)", ylabel="faces", xlim=(0, 1))
    axes.legend(fontsize=8)
    axes.set_title("scores")


def _band(span: Callable[..., object], calibration: Calibration) -> None:
    span(calibration.real_below, calibration.ai_from, color="orange", alpha=0.15, linewidth=0)


def timeline(analysis: Analysis, calibration: Calibration) -> Figure:
    """Each person's scored looks over time, with the inconclusive band shaded; of many, 12 have names, see `gallery`.

    In a person's own colour: the spans in which they look generated.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots()
    _band(axes.axhspan, calibration)
    named = _chosen(analysis.people, analysis.verdicts)
    for index, (person, verdict) in enumerate(zip(analysis.people, analysis.verdicts, strict=True)):
        times = [look.time for look in person.each_look]
        scores = np.array([look.score for look in person.each_look], np.float64)
        name = f"person {index + 1}: {verdict_label(verdict)}"
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
    shown = _chosen(people, verdicts) if width > 1 else range(len(people))
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


def _chosen(people: Sequence[Person], verdicts: Sequence[Verdict]) -> list[int]:
    """Indices of the people to show, among those of whom crops were kept, in their order."""
    kept = [index for index, person in enumerate(people) if person.gallery]
    return sorted(nlargest(PEOPLE, kept, key=lambda i: (verdicts[i].answer == Answer.AI, people[i].looks)))
