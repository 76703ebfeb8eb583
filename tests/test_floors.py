"""The house's one rule: a module imports only from floors below it."""

import ast
from pathlib import Path

import pytest

import aiface

PACKAGE = Path(aiface.__file__).parent
FLOORS = (  # from the ground up
    ("__init__", "errors", "labels", "logits", "quiet"),
    ("ahead", "archive", "config", "drawing", "file_traits", "files", "degrade", "follow", "tracking", "trail"),
    ("blend", "child", "dataset", "distribution", "faces", "frames", "inputs", "metadata", "window"),
    ("camera", "crop", "decoding", "provenance", "stores", "upload", "vetting", "writer"),
    ("explain", "image_statistics", "inspection", "isolated", "network", "openvino_runtime", "shards", "stability"),
    ("batches", "calibration", "keras_runtime", "measurements", "shortcut", "video"),
    ("card", "copies", "distill", "evaluation", "traits", "verdict", "workers"),
    ("bundle", "feed", "findings", "moments", "runs", "spans", "steady"),
    ("detector", "person"),
    ("robustness", "session", "training"),
    ("audit", "audit_figures", "pipeline", "quantize", "recalibrate", "results_figures"),
    ("audit_report", "clips", "overlay"),
    ("demo", "live", "notebook", "plots", "protocol"),
    ("results", "words"),
    ("report",),
    ("page",),
    ("answer", "index"),
    ("cli_train", "judging", "ray_engine"),
    ("browser", "cli_judge", "web"),
    ("app", "info"),
    ("__main__",),
)
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
WITHOUT_KERAS = (
    "files", "dataset", "degrade", "faces", "crop", "video", "writer", "shards", "batches", "workers", "tracking",
    "calibration", "archive", "audit_report", "card", "inspection", "isolated", "vetting", "stability", "verdict",
    "metadata", "provenance", "moments", "spans", "person", "stores", "trail",
)  # fmt: skip
KERAS_ON_DEMAND = (
    "answer", "app", "browser", "judging", "web", "explain", "openvino_runtime", "detector", "distribution", "session",
    "pipeline", "overlay", "live", "page", "ray_engine", "report", "__main__",
)  # fmt: skip


def imports(source, at_start=False):
    """The modules of the package that a source imports, in whichever form, wherever in it.

    With `at_start`, those alone that importing it imports: not within functions, nor for type checkers.
    """
    found = set()
    for node in at_import(ast.parse(source)) if at_start else ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "aiface"):
            parts = (node.module or "").split(".")[0 if node.level else 1 :]
            names = parts[:1] if parts and parts[0] else [alias.name for alias in node.names]
            found |= {name if name in MODULES else "__init__" for name in names}
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            found |= {[*part, "__init__"][1] for part in parts if part[0] == "aiface"}
    return found


def at_import(node):
    """The nodes below one that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        typing = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not typing and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import(child)


def imports_in_the_end(name, at_start=False):
    """The modules that a module imports, itself or through others."""
    seen, todo = set(), {name}
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= imports((PACKAGE / f"{module}.py").read_text(encoding="utf-8"), at_start) - seen
    return seen


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
        ("from aiface.io.files import sha256", {"files"}),
        ("from aiface import plots, files", {"plots", "files"}),
        ("from aiface import __version__", {"__init__"}),
        ("import aiface", {"__init__"}),
        ("import aiface.faces.crop as crop, numpy", {"crop"}),
        ("from . import crop", {"crop"}),
        ("from .crop import CROP_SIZE", {"crop"}),
        ("def f():\n    from aiface.faces.finder import Face", {"faces"}),
        ("import numpy\nfrom aifacets import x", set()),
    ],
)
def test_imports_are_seen(source, expected):
    assert imports(source) == expected


@pytest.mark.parametrize("name", WITHOUT_KERAS)
def test_what_needs_no_keras(name):
    """Preparing crops, reading clips and finding faces start at once, without a deep-learning library."""
    assert "quiet" not in imports_in_the_end(name)


@pytest.mark.parametrize("name", KERAS_ON_DEMAND)
def test_what_needs_keras_only_to_convert_a_network(name):
    """Judging starts without Keras; test_detector.py looks at what a process has really imported."""
    assert "quiet" not in imports_in_the_end(name, at_start=True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from aiface.io.files import sha256", {"files"}),
        ("class C:\n    from aiface import files", {"files"}),
        ("try:\n    import aiface.io.files\nexcept ImportError:\n    pass", {"files"}),
        ("if SOMETHING:\n    import aiface.io.files\nelse:\n    import aiface.faces.crop", {"files", "crop"}),
        ("if TYPE_CHECKING:\n    from aiface.models.keras_import import keras", set()),
        ("def f():\n    from aiface.faces.finder import Face", set()),
        ("class C:\n    def f(self):\n        import aiface.faces.finder", set()),
    ],
)
def test_imports_at_start_are_seen(source, expected):
    assert imports(source, at_start=True) == expected


@pytest.mark.parametrize("name", MODULES)
def test_keras_and_openvino_come_from_one_place_each(name):
    """`aiface.models.keras_import` alone imports Keras, `aiface.models.openvino_runtime` alone OpenVINO; nobody imports Keras's backends."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    places = {"quiet": {"keras"}, "openvino_runtime": {"openvino"}, "distribution": {"jax", "tensorflow"}}
    allowed = places.get(name, set())
    assert found & {"keras", "tensorflow", "jax", "torch", "openvino"} == allowed
