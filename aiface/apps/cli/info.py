"""The command `info`: what is installed, which detector, and what this machine can do. Loads nothing heavy."""

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import aiface
from aiface.paths import DETECTOR, WEIGHTS

PACKAGES = ("tensorflow", "keras", "openvino", "opencv-python-headless", "av", "numpy", "jax")
# What each extra of pyproject.toml brings
EXTRAS = {
    "app": "gradio",
    "export": "tf2onnx",
    "int8": "nncf",
    "notebooks": "papermill",
    "provenance": "c2pa",
    "ray": "ray",
    "train": "jax",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m aiface info`."""
    parser.add_argument("--detector", type=Path, default=DETECTOR, metavar="FOLDER", help="a bundle")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: argparse.Namespace) -> int:
    """Print it; 0, also where the detector can't be used, which is said."""
    found = describe(options.detector, options.weights)
    if options.json:
        print(json.dumps(found))
        return 0
    for part, values in found.items():
        print(part)
        for name, value in values.items():
            print(f"  {name:<22} {value}")
    return 0


def describe(detector: Path, weights: Path = WEIGHTS) -> dict[str, dict]:
    """Everything by part: `versions`, `detector`, `faces`, `machine`, `extras`."""
    return {
        "versions": {"aiface": aiface.__version__, "python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES},
        "detector": _detector(detector),
        "faces": {"finder": _finder(weights)},
        "machine": _machine(),
        "extras": {extra: _extra(extra, module) for extra, module in EXTRAS.items()},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _detector(folder: Path) -> dict:
    from aiface.errors import ModelError
    from aiface.models.calibration import Calibration
    from aiface.models.card import INT8, read_card

    try:
        card = read_card(folder)
    except ModelError as error:
        return {"folder": str(folder), "problem": str(error)}
    calibration = Calibration(**card["calibration"])
    kinds = (
        {"": calibration} if calibration.stills is None else {"": calibration.of(moving=False), ", clips": calibration}
    )
    return {
        "folder": str(folder),
        "name": card["name"],
        "sha256": card["sha256"],
        **{f"AI from{kind}": round(limits.ai_from, 3) for kind, limits in kinds.items()},
        **{f"real below{kind}": round(limits.real_below, 3) for kind, limits in kinds.items()},
        "INT8 version": (folder / INT8).is_file(),
        "about": card["training"].get("summary", ""),
    }


def _finder(weights: Path) -> str:
    from aiface.faces.finder import HOW_TO_GET_YUNET, WITHOUT_YUNET, YUNET_FILE

    return "YuNet" if (weights / YUNET_FILE).is_file() else f"{WITHOUT_YUNET}. To mend it: {HOW_TO_GET_YUNET}"


def _machine() -> dict:
    from platformdirs import user_cache_path

    cache = user_cache_path("aiface")
    kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    return {"system": platform.platform(), "cores": os.cpu_count(), "precision auto": _fastest(),
            "cache": str(cache), "cache in MB": round(kept / 1e6, 1)}  # fmt: skip


def _fastest() -> str:
    """What `--precision auto` computes in."""
    if find_spec("openvino") is None:
        return "f32, by Keras: OpenVINO is not installed"
    from aiface.models.openvino_runtime import fastest

    return fastest()


def _extra(name: str, module: str) -> str:
    return "installed" if find_spec(module) else f"not installed: pip install 'aiface[{name}]'"
