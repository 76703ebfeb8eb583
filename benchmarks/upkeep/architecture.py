"""`make readme`: write the tree of modules, a line each from its docstring, into docs/ARCHITECTURE.md."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from aiface.io.files import write_text
from aiface.paths import ROOT

PAGE = ROOT / "docs" / "ARCHITECTURE.md"
_BLOCK = re.compile(r"(<!-- tree -->\n```\n).*(```\n<!-- end of tree -->)", re.DOTALL)
_COLUMN = 30  # where the descriptions begin


def order() -> list[str]:
    """Packages and modules of the first level from the ground up, as the contract on imports has it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return [name for layer in reversed(layers) for name in re.findall(r"\w+", layer)]


def tree(folder: Path, depth: int = 0) -> Iterator[str]:
    """A line for each package and module below a folder, indented: the first level in its `order`."""
    first = {name: place for place, name in enumerate(order())} if depth == 0 else {}
    for path in sorted(folder.iterdir(), key=lambda path: (first.get(path.stem, 99), path.is_dir(), path.name)):
        if path.suffix == ".py" and path.stem != "__init__":
            yield _line(path.stem, path, depth)
        elif (path / "__init__.py").is_file():
            yield _line(f"{path.name}/", path / "__init__.py", depth)
            yield from tree(path, depth + 1)


def _line(name: str, path: Path, depth: int) -> str:
    return f"{'   ' * depth + name:<{_COLUMN}}{charter(path)}\n"


def charter(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) ", first)[0]


def rewritten(text: str) -> str:
    """The page's text with the tree as it is now."""
    return _BLOCK.sub(lambda match: match[1] + "".join(tree(ROOT / "aiface")) + match[2], text)


if __name__ == "__main__":
    write_text(PAGE, rewritten(PAGE.read_text(encoding="utf-8")))
