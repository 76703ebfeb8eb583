"""What README and weights/ say is what the shipped bundles' cards hold."""

import hashlib
import re

import pytest

from aiface.paths import WEIGHTS
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
    digest = hashlib.sha256((bundle / "model.keras").read_bytes()).hexdigest()
    assert f"{digest}  {bundle.name}/model.keras" in (WEIGHTS / "SHA256SUMS").read_text().splitlines()


def test_what_readme_tells_to_run_exists():
    text = README.read_text(encoding="utf-8")
    for name in re.findall(r"\./(\w+\.sh)|(recipes/[\w.-]+\.yaml)|(\w+\.ipynb)", text):
        name = next(filter(None, name))
        assert (README.parent / name).is_file() or re.fullmatch(r"part\d\.ipynb", name), name
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
