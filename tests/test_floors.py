"""The house's one rule: a module imports only from floors below it."""

import ast
from pathlib import Path

import pytest

import aiface

PACKAGE = Path(aiface.__file__).parent
FLOORS = (  # from the ground up
    ("__init__", "errors", "labels", "quiet"),
    ("embed", "file_traits", "files", "degrade", "tracking"),
    ("blend", "dataset", "faces", "video"),
    ("crop", "writer"),
    ("image_statistics", "network", "shards", "stability"),
    ("batches", "calibration", "measurements", "shortcut"),
    ("copies", "detector", "evaluation", "traits", "verdict"),
    ("findings", "robustness", "session", "training"),
    ("audit", "audit_figures", "pipeline", "results_figures"),
    ("audit_report", "clips", "overlay"),
    ("demo", "live", "notebook", "plots", "protocol"),
    ("report", "results"),
    ("__main__",),
)
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
WITHOUT_KERAS = (
    "files", "dataset", "degrade", "faces", "crop", "video", "writer", "shards", "tracking", "calibration",
    "audit_report",
)  # fmt: skip


def imports(source):
    """The modules of the package that a source imports, wherever in it, in whichever form."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "aiface"):
            parts = (node.module or "").split(".")[0 if node.level else 1 :]
            names = parts[:1] if parts and parts[0] else [alias.name for alias in node.names]
            found |= {name if name in MODULES else "__init__" for name in names}
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            found |= {[*part, "__init__"][1] for part in parts if part[0] == "aiface"}
    return found


def test_every_module_has_one_floor():
    names = [name for names in FLOORS for name in names]
    assert sorted(names) == sorted(set(names))
    assert set(MODULES) <= set(names)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_floors_below(name):
    used = imports((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    too_high = {other for other in used if FLOOR_OF[other] >= FLOOR_OF[name]}
    assert not too_high, f"{name} imports {', '.join(sorted(too_high))}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from aiface.files import sha256", {"files"}),
        ("from aiface import plots, files", {"plots", "files"}),
        ("from aiface import __version__", {"__init__"}),
        ("import aiface", {"__init__"}),
        ("import aiface.crop as crop, numpy", {"crop"}),
        ("from . import crop", {"crop"}),
        ("from .crop import CROP_SIZE", {"crop"}),
        ("def f():\n    from aiface.faces import Face", {"faces"}),
        ("import numpy\nfrom aifacets import x", set()),
    ],
)
def test_imports_are_seen(source, expected):
    assert imports(source) == expected


@pytest.mark.parametrize("name", WITHOUT_KERAS)
def test_what_needs_no_keras(name):
    """Preparing crops, reading clips and finding faces start at once, without a deep-learning library."""
    seen, todo = set(), {name}
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= imports((PACKAGE / f"{module}.py").read_text(encoding="utf-8")) - seen
    assert "quiet" not in seen


@pytest.mark.parametrize("name", MODULES)
def test_keras_comes_from_one_place(name):
    """`aiface.quiet` alone imports Keras; nobody imports its backends."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    assert found & {"keras", "tensorflow", "jax", "torch"} == ({"keras"} if name == "quiet" else set())
