"""How fast one crop is scored, by each runtime, and what INT8 costs."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.models.detector import Detector
from aiface.models.network import build
from aiface.models.openvino_runtime import OpenVinoRuntime, convert, unpack
from aiface.training.quantize import compare, quantize
from benchmarks.speed.clocks import NOT_MEASURED, Row, Turns, at_least
from benchmarks.speed.roofline import roofline

ROUNDS = 25  # turns of scoring one crop


def scoring(detector: Detector, backbone: str, int8: Detector | None) -> list[Row]:
    """One pass over one crop, against `model.predict`; a still's score takes two, one for each side."""
    ours = backbone == detector.card["backbone"]
    network = detector.network if ours else build(backbone)
    packed = convert(network)
    functions = {name: OpenVinoRuntime(unpack(packed), name) for name in ("f32", "auto")}
    if ours and int8:
        functions["int8"] = int8.runtime
    crop = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    turns = Turns({"predict": partial(network.predict, crop, verbose=0)} | _of(functions, crop), ROUNDS)
    bars = {"f32": 7, "int8": 11} if ours else {}
    title = f"{backbone}{'' if ours else ', random weights'}, batch 1, against `model.predict`"
    rows = [Row(f"{backbone}: `model.predict`", turns.milliseconds("predict").text(" ms"))]
    for name, runtime in functions.items():
        measure, found = f"{title}: {runtime.name}", turns.ratio("predict", name)
        rows.append(at_least(measure, found, bars[name]) if name in bars else Row(measure, found.text("x")))
    if ours and "int8" not in functions:
        rows.append(Row(f"{title}: INT8", f"{NOT_MEASURED}: install nncf and name crops", ">= 11x"))
    return rows + [roofline(network, runtime, name, crop, ROUNDS) for name, runtime in list(functions.items())[:2]]


def _of(functions: Mapping[str, Callable], crop: np.ndarray) -> dict[str, Callable[[], object]]:
    return {name: partial(function, crop) for name, function in functions.items()}


def int8_version(folder: Path, crops: CropSet | None, scratch: Path) -> Path | None:
    """A copy of the bundle with an INT8 version; None without NNCF, or without crops to learn ranges from."""
    if crops is None or find_spec("nncf") is None:
        return None
    copy = Path(shutil.copytree(folder, scratch / folder.name))
    quantize(copy, crops)
    return copy


def int8_loss(copy: Path, crops: CropSet) -> list[Row]:
    """What the INT8 version costs in AUC on test faces; "mixed" are the sources of one class together."""
    found = compare(copy, crops.split("test"))
    losses = {name: found["f32"][name] - found["int8"][name] for name in found["f32"] if name != "auc"}
    return [
        Row(f"AUC that INT8 costs, {name.removeprefix('auc/')}", f"{loss:+.4f}", "<= 0.005", loss <= 0.005)
        for name, loss in losses.items()
    ]
