"""The repo's notebooks, executed with parameters: `make demo`, `aiface train`, `make docs`."""

import ast
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from aiface.errors import AifaceError, DataError
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
    try:
        with TemporaryDirectory(prefix="aiface-") as sockets:
            papermill.execute_notebook(
                source, executed, parameters, kernel_name="python3", cwd=str(ROOT), config=_local_kernel(sockets),
                progress_bar=sys.stderr.isatty() and told is None, extra_arguments=["--log-level=CRITICAL"],
                stdout_file=told, stderr_file=told,
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise AifaceError(f"{error.ename}: {error.evalue} (the whole story: {executed})") from None
    except DeadKernelError:
        raise AifaceError(
            f"{executed}: expected the notebook to run to its end, found its process ended by another (out of memory, "
            "killed, or a host that trained along was lost); start the same command again"
        ) from None
    return executed


def _local_kernel(sockets: str) -> Config:
    """A kernel without an open port; in a folder of its own, as all would name their sockets alike."""
    ways = {"transport": "ipc", "ip": f"{sockets}/kernel"} if os.name == "posix" else {"transport": "tcp"}
    return Config({"KernelManager": ways})


def _there(notebook: str) -> Path:
    if not (path := ROOT / notebook).is_file():
        raise AifaceError(f"{path}: expected the repo's notebook, found none; clone the repo and work there")
    return path
