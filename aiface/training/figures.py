"""Figures of a training: crops with their class and source, and what was learned epoch by epoch."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aiface.drawing import CLASS_COLOURS, grid
from aiface.labels import NAMES


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
