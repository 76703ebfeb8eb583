"""Figures of an audit: which traits tell the most, and how one is spread over sources and classes."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aiface.audit.findings import CLASS_WORDS, MUCH, SOME, capital, words
from aiface.audit.measurements import MEANING, Measurements
from aiface.audit.traits import Trait
from aiface.drawing import CLASS_COLOURS
from aiface.io.files import shown


def figures(measured: Measurements, traits: Sequence[Trait]) -> list[tuple[str, Figure]]:
    """The most telling traits as bars, then sharpness, JPEG quality and bytes per pixel by source and class."""
    drawn = [trait_bars(traits)] if any("all" in trait.scores for trait in traits) else []
    for name in ("sharpness", "jpeg_quality", "bytes_per_pixel", "brightness"):
        if np.isfinite(measured.columns[name]).any():
            drawn.append(distributions(measured, name))
    return [(figure.axes[0].get_title(), figure) for figure in drawn]


def trait_bars(traits: Sequence[Trait], most: int = 14) -> Figure:
    """How far each trait's AUC over all pictures lies from 0.5."""
    scored = [(trait.scores["all"].auc - 0.5, words(trait.name)) for trait in traits if "all" in trait.scores]
    distance, names = zip(*sorted(scored, key=lambda pair: -abs(pair[0]))[:most][::-1], strict=True)
    figure, axes = _axes("Most telling traits", len(names))
    axes.barh(names, np.abs(distance), color=[CLASS_COLOURS[d > 0] for d in distance])
    for bar in (SOME - 0.5, MUCH - 0.5):
        axes.axvline(bar, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, 0.5), xlabel="|AUC - 0.5|; red: higher in AI, green: higher in real")
    return figure


def distributions(measured: Measurements, name: str, most: int = 12) -> Figure:
    """Median, quartiles and the middle 90 % of one number in the largest sources of each class."""
    parts: dict[tuple[int, str], list[float]] = {}
    for value, item in zip(measured.columns[name].tolist(), measured.items, strict=True):
        if math.isfinite(value):
            parts.setdefault((item.label, item.source), []).append(value)
    largest = sorted(sorted(parts, key=lambda key: -len(parts[key]))[:most])[::-1]
    figure, axes = _axes(f"{capital(words(name))} by source and class", len(largest))
    for row, key in enumerate(largest):
        colour = CLASS_COLOURS[key[0]]
        low, first, middle, third, high = np.quantile(parts[key], (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.plot((low, high), (row, row), color=colour, linewidth=1)
        axes.plot((first, third), (row, row), color=colour, linewidth=6, solid_capstyle="butt")
        axes.plot(middle, row, "o", color="white", markeredgecolor=colour, markersize=5)
    names = [shown(f"{source}, {CLASS_WORDS[label]}").replace("$", r"\$") for label, source in largest]
    axes.set(yticks=range(len(largest)), yticklabels=names)
    axes.set_xlabel(MEANING[name], fontsize=8)
    return figure


def _axes(title: str, rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, 0.26 * rows + 1.1), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    return figure, axes
