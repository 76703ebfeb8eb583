"""What README and weights/ say is what the shipped bundles' cards hold."""

import hashlib
import re

import pytest

from aiface.paths import ROOT, WEIGHTS
from benchmarks.upkeep import architecture
from benchmarks.upkeep.readme import README, rewritten

BUNDLES = sorted(path.parent for path in WEIGHTS.glob("*/card.json"))


def test_the_figures_are_those_of_the_cards():
    text = README.read_text(encoding="utf-8")
    assert rewritten(text) == text, "run make readme"
    assert text.count("their mean 0.") == len(BUNDLES) > 0
    assert text.count("| all |") == 1
    assert text.index("the default: ") < text.index("--detector weights/")


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_sums_name_the_shipped_networks(bundle):
    named = (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    for path in bundle.glob("*.keras"):
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {bundle.name}/{path.name}" in named


def test_what_readme_tells_to_run_exists():
    text = README.read_text(encoding="utf-8")
    for name in re.findall(r"\./(\w+\.sh)|(recipes/[\w.-]+\.yaml)|(\w+\.ipynb)", text):
        name = next(filter(None, name))
        assert (README.parent / name).is_file() or re.fullmatch(r"part\d\.ipynb", name), name
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_tree_names_every_module():
    text = architecture.PAGE.read_text(encoding="utf-8")
    assert architecture.rewritten(text) == text, "run make readme"
    modules = [path for path in (ROOT / "aiface").rglob("*.py") if path.stem != "__init__"]
    assert len(re.findall(r"^ *\w+ {2,}\S", text.split("<!-- tree -->")[1].split("<!-- end")[0], re.MULTILINE)) == len(
        modules
    )


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/ARCHITECTURE.md", "data/README.md"]
)
def test_what_pages_name_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    names = re.findall(r"`((?:aiface|tests|benchmarks|docs)/[\w/.-]+)`", text)
    names += [str((ROOT / page).parent.relative_to(ROOT) / link) for link in re.findall(r"\]\(([\w/.-]+)\)", text)]
    assert [name for name in names if not (ROOT / name).exists()] == []
