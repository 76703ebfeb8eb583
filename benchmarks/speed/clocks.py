"""Timing on a machine that others use too: everything in turns, and ratios within each turn; and bars to clear."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

NOT_MEASURED = "not measured"
MARK = {True: "met", False: "missed", None: ""}  # of `Row.met`


def machine() -> str:
    """Processor, cores and the versions that matter, in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    versions = ", ".join(f"{package} {version(package)}" for package in ("openvino", "keras", "tensorflow", "av"))
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {versions}"


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray | list[float]) -> "Spread":
        """The quartiles of at least one value."""
        low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)).tolist()
        return cls(median, low, high)

    def text(self, unit: str = "", digits: int = 3) -> str:
        """Such as `12.3x [11.9, 12.8]`, with so many significant digits.

        >>> Spread(12.34, 11.9, 13.0).text("x")
        '12.3x [11.9, 13]'
        """
        return f"{self.median:.{digits}g}{unit} [{self.low:.{digits}g}, {self.high:.{digits}g}]"


@dataclass(frozen=True)
class Row:
    """One figure: what, how much, what is asked for, and whether that is met (None: nothing asked or not measured)."""

    measure: str
    found: str
    asked: str = ""
    met: bool | None = None


def at_least(measure: str, found: Spread, least: float, unit: str = "x") -> Row:
    """A row whose median is to reach a bar."""
    return Row(measure, found.text(unit), f">= {least:g}{unit}", found.median >= least)


def at_most(measure: str, found: Spread, most: float, unit: str) -> Row:
    """A row whose median is to stay within a bar."""
    return Row(measure, found.text(unit), f"<= {most:g}{unit}", found.median <= most)


class Turns:
    """Seconds `(rounds,)` of each of several functions, called in turns so that what slows the machine slows all.

    Each is called once before, unmeasured. `scale`: what one call is worth, such as the seconds of clip it judges.
    """

    def __init__(self, functions: Mapping[str, Callable[[], object]], rounds: int, scale: Mapping[str, float] = {}):
        for function in functions.values():
            function()
        turns = [{name: _seconds(function) for name, function in functions.items()} for _ in range(rounds)]
        self.seconds = {name: np.array([turn[name] for turn in turns]) / scale.get(name, 1) for name in functions}

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times as long one takes as the other."""
        return Spread.of(self.seconds[slow] / self.seconds[fast])

    def milliseconds(self, name: str) -> Spread:
        """What one call takes."""
        return Spread.of(1000 * self.seconds[name])


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
