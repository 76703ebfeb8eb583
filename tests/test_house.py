"""What holds the house up, beside the contracts in pyproject.toml (`make lint`)."""

import ast
import subprocess
import sys

import pytest

from aiface.paths import ROOT

MOST = 11  # modules in a folder
ROOMS = ("aiface", "benchmarks/speed", "benchmarks/quality", "benchmarks/upkeep")
FOLDERS = sorted({path.parent.relative_to(ROOT) for room in ROOMS for path in ROOT.glob(f"{room}/**/*.py")})
HEAVY = {"keras", "tensorflow", "jax", "torch"}
MAY_IMPORT_KERAS = (
    "aiface.models.keras_import",
    "aiface.models.network",
    "aiface.models.bundle",
    "aiface.models.keras_runtime",
    "aiface.training.",
)


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_no_folder_is_crowded(folder):
    modules = [path.name for path in (ROOT / folder).glob("*.py") if path.stem != "__init__"]
    assert len(modules) <= MOST, modules


@pytest.mark.parametrize("path", sorted(ROOT.glob("aiface/*/**/__init__.py")), ids=lambda path: path.parent.name)
def test_a_package_says_what_it_is_for_and_holds_nothing(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert ast.get_docstring(ast.Module(body, []))


def test_what_starts_without_keras():
    """One process imports every module but those that may; none of them brings Keras or a backend of its."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(ROOT.glob("aiface/**/*.py"))]
    light = [
        name for name in names if not name.startswith(MAY_IMPORT_KERAS) and not name.endswith(("__init__", "__main__"))
    ]
    assert len(light) > 60
    code = f"import importlib, sys\nfor name in {light!r}:\n    importlib.import_module(name)\n"
    code += f"    assert not {HEAVY!r} & set(sys.modules), name\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


PLACES = {
    "models/keras_import.py": {"keras"},
    "faces/openvino_import.py": {"openvino"},
    "training/devices.py": {"jax", "tensorflow"},
    "training/export.py": {"tensorflow"},
}


@pytest.mark.parametrize("path", sorted(ROOT.glob("aiface/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_keras_and_openvino_come_from_one_place_each(path):
    found = set(imported(path)) & (HEAVY | {"openvino"})
    assert found == PLACES.get(path.relative_to(ROOT / "aiface").as_posix(), set())
