"""Figures of how good a detector is: of one set of scores, and of what the evaluation protocol measured."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aiface.drawing import CLASS_COLOURS, shade
from aiface.evaluation.robustness import ALL
from aiface.labels import AI, NAMES, REAL, Answer
from aiface.models.calibration import Calibration


def figures(result: Mapping) -> list[tuple[str, Figure]]:
    """Each figure that the result has data for, with its title."""
    found = []
    if result["sets"]:
        found.append(("Area under the ROC curve, by set and source", sources_figure(result["sets"])))
    if result["curves"]:
        found.append(("Under degradation", curves_figure(result["curves"])))
    if result["coverage_risk"]:
        found.append(("Abstaining", risk_figure(result["coverage_risk"])))
    return found


def sources_figure(sets: Mapping[str, Mapping]) -> Figure:
    """AUC with its interval, each set in bold above its sources."""
    rows = []
    for name, row in sets.items():
        rows += [(name, row, "black"), *((f"   {s}", r, "grey") for s, r in row["sources"].items())]
    figure = Figure(figsize=(8, 0.6 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for height, (_, row, colour) in enumerate(rows):
        axes.plot(row["intervals"]["auc"], (height, height), color=colour)
        axes.plot(row["auc"], height, "o", color=colour)
    axes.axvline(0.5, color="grey", linestyle=":")
    axes.set(yticks=range(len(rows)), yticklabels=[name for name, *_ in rows], xlabel="AUC", xlim=(0.3, 1.01))
    axes.invert_yaxis()
    return figure


def curves_figure(curves: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """One small plot for each degradation: all sets together in black, each set in a colour."""
    kinds = list(curves[ALL])
    figure = Figure(figsize=(13, 3.3), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0], kinds, strict=True):
        for name, table in curves.items():
            style = {"color": "black", "zorder": 3} if name == ALL else {"linewidth": 1}
            axes.plot(list(table[kind]), list(table[kind].values()), ".-", label=name, **style)
        axes.axhline(0.5, color="grey", linestyle=":")
        axes.set(title=kind, ylim=(0.45, 1.01))
    figure.axes[0].set_ylabel("AUC")
    figure.axes[0].legend(fontsize=8, loc="lower left")
    return figure


def risk_figure(curve: Mapping[str, list[float]]) -> Figure:
    """Error among the decided against the share decided."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve["coverage"], curve["risk"], ".-", color="black")
    axes.set(xlabel="share of faces decided", ylabel="error among them", xlim=(0, 1.02), ylim=(0, None))
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
    shade(axes.axvspan, calibration.real_below, calibration.ai_from)
    axes.set(xlabel="score, P(AI)", ylabel="faces", xlim=(0, 1))
    axes.legend(fontsize=8)
    axes.set_title("scores")
