"""The repo's notebooks, executed with parameters: `make demo`, `aiface train`, `make docs`."""

import ast
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from aiface.errors import AifaceError, DataError
from aiface.io.files import shown
from aiface.paths import ROOT

try:
    import papermill
    import yaml
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config
except ImportError as error:
    raise AifaceError(
        f"expected what executes notebooks, found none ({error}); install it: pip install 'aiface[notebooks]'"
    ) from None


class _Yaml(yaml.SafeLoader):
    """PyYAML with the numbers of YAML 1.2: 2e-4 is one, not only 2.0e-4."""


_SCIENTIFIC = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
_Yaml.add_implicit_resolver("tag:yaml.org,2002:float", _SCIENTIFIC, "-+.0123456789")


def read_parameters(notebook: str, recipe: str | Path | None, changes: Iterable[str] = ()) -> dict:
    """A notebook's parameters from a YAML file, as in `recipes/`, and from changes such as `EPOCHS=3`.

    Raises `DataError` for a file that is none, for a name that the notebook does not have, and for a value of another
    type than the notebook's own, `AifaceError` where the repo's notebooks are not there.
    """
    try:
        found = yaml.load(Path(recipe).read_text(encoding="utf-8"), _Yaml) if recipe else {}
        found |= {name: yaml.load(value, _Yaml) for name, _, value in (change.partition("=") for change in changes)}
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise DataError(f"{recipe}: expected a YAML file of parameters, such as those in recipes/ ({error})") from None
    known = papermill.inspect_notebook(_there(notebook))
    if others := sorted(set(found) - set(known)):
        raise DataError(f"{notebook}: expected parameters among {', '.join(known)}; found {', '.join(others)}")
    for name, value in found.items():
        own = ast.literal_eval(known[name]["default"])
        kind = type(value) if isinstance(own, float) and type(value) is int else type(own)
        if own is not None and type(value) is not kind:
            raise DataError(f"{notebook}: expected {name} of type {kind.__name__}, such as {own!r}; found {value!r}")
    return found


def execute(notebook: str, executed: Path, parameters: dict, told: TextIO | None = None) -> Path:
    """Execute one of the repo's notebooks with `parameters`, in the repo's root; return where the result lies.

    told: what its cells print goes there too, as it comes. Raises `AifaceError` with the notebook's own error if a cell
    fails, and if the repo's notebooks are not there; the executed one is kept up to the failure.
    """
    source = _there(notebook)
    executed.parent.mkdir(parents=True, exist_ok=True)
    named = {key: _Name(value) if isinstance(value, str) else value for key, value in parameters.items()}
    try:
        with TemporaryDirectory(prefix="aiface-") as sockets, _in_text(executed, sockets) as place:
            papermill.execute_notebook(
                _literal(source), _literal(place), named, kernel_name="python3", cwd=str(ROOT),
                progress_bar=sys.stderr.isatty() and told is None, extra_arguments=["--log-level=CRITICAL"],
                config=_local_kernel(sockets), stdout_file=told, stderr_file=told,
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise AifaceError(f"{error.ename}: {error.evalue} (the whole story: {executed})") from None
    except DeadKernelError:
        raise AifaceError(
            f"{executed}: expected the notebook to run to its end, found its process ended by another (out of memory, "
            "killed, or a host that trained along was lost); start the same command again"
        ) from None
    return executed


class _Name(str):
    """A file's name of any bytes: whole in the notebook's code, which papermill escapes, and as `shown` in its JSON."""

    def __new__(cls, name: str) -> "_Name":
        made = super().__new__(cls, shown(name))
        made.whole = name
        return made

    whole: str

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """What papermill makes code of."""
        return self.whole.encode(encoding, errors)


@contextmanager
def _in_text(path: Path, folder: str) -> Iterator[Path]:
    """The path, or one in `folder` if its name is no text, which a notebook could not hold; moved there at the end."""
    if shown(path) == str(path):
        yield path
        return
    place = Path(folder, "executed.ipynb")
    try:
        yield place
    finally:
        if place.exists():
            shutil.move(place, path)


def _literal(path: Path) -> str:
    """A path that papermill, which fills parameters into it, takes as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _local_kernel(sockets: str) -> Config:
    """A kernel without an open port; in a folder of its own, as all would name their sockets alike."""
    ways = {"transport": "ipc", "ip": f"{sockets}/kernel"} if os.name == "posix" else {"transport": "tcp"}
    return Config({"KernelManager": ways})


def _there(notebook: str) -> Path:
    if not (path := ROOT / notebook).is_file():
        raise AifaceError(f"{path}: expected the repo's notebook, found none; clone the repo and work there")
    return path
