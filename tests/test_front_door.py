"""`import aiface` offers a few names, loads none before it is used, and README's lines run as they stand."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clips import seconds, write_clip
from PIL import Image

import aiface
from aiface.errors import DataError
from aiface.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = re.search(r"```python\n(import aiface\n.*?)```", README, re.DOTALL)[1]


def test_the_names_are_few_and_all_there():
    assert sorted(aiface._HOMES) == sorted(aiface.__all__)
    assert len(aiface.__all__) <= 16
    for name in aiface.__all__:
        assert getattr(aiface, name).__name__ == name
        assert name in dir(aiface)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(aiface.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == {name: f"aiface.{home}" for name, home in aiface._HOMES.items()}


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'aiface' has no attribute 'jduge'"):
        aiface.jduge  # noqa: B018


def test_importing_it_loads_nothing():
    code = (
        "import sys, aiface; print(sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert {"numpy", "keras", "cv2", "aiface"} & set(ast.literal_eval(done.stdout)) == {"aiface"}


def test_a_folder_is_not_one_input(tmp_path):
    with pytest.raises(DataError, match="found a folder; use judge_folder"):
        aiface.judge(tmp_path)


def test_readme_s_lines_run(tmp_path, astronaut):
    (tmp_path / "photos").mkdir()
    Image.fromarray(astronaut).save(tmp_path / "photos" / "astronaut.png")
    write_clip(tmp_path / "clip.mp4", seconds(15), lambda _: astronaut, (512, 512))
    place = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, cwd=tmp_path, env=place)
    assert done.returncode == 0, done.stderr
    assert re.match(r"clip\.mp4: (real|inconclusive), P\(AI\) 0\.\d\d from \d+ faces", done.stdout), done.stdout
    assert re.search(r"^photos/astronaut\.png inconclusive$", done.stdout, re.MULTILINE), done.stdout
    assert len(LINES.strip().splitlines()) <= 5
