"""`make supply`: under which licences the locked requirements come, and what holes are known in them.

    python -m benchmarks.upkeep.supply [--out docs/measured]

writes docs/measured/LICENCES.md and asks PyPI's list of vulnerabilities through pip-audit, which `make supply` installs
apart, in .venv-tools. The exit code is 0 only if all may be used and PyPI knows of no hole; where it can't be asked, 1.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from aiface.evaluation.report import markdown_table
from aiface.io.files import write_text
from aiface.paths import ROOT
from benchmarks.speed.clocks import MARK, NOT_MEASURED, Row

LOCK = ROOT / "requirements.txt"
AUDITOR = ROOT / ".venv-tools" / "bin" / "pip-audit"
LOCKED = re.compile(r"^([\w.-]+)==(\S+)( ;.*)? \\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.MULTILINE)

# A vulnerability's name (PYSEC-..., GHSA-... or CVE-...), and why it does no harm here. One that is no longer found
# has to go.
IGNORED: Mapping[str, str] = {}

# As packages spell them. All let anybody use the package, and sell what uses it; MPL and LGPL ask that changes to the
# package itself be shared, and it is used as it comes.
ALLOWED = {
    "0BSD", "BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "3-Clause BSD License", "CC0-1.0", "Zlib",
    "Apache-2.0", "Apache 2.0", "Apache License 2.0", "Apache License, Version 2.0", "Apache Software License",
    "ISC", "ISC License (ISCL)", "MIT", "MIT License", "MIT-0", "MIT-CMU",
    "PSF-2.0", "Python Software Foundation License", "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)",
    "GNU Library or Lesser General Public License (LGPL)", "GNU Lesser General Public License v3 (LGPLv3)",
}  # fmt: skip
SAID_ELSEWHERE = {"namex": "Apache-2.0"}  # its wheel says nothing; setup.py in github.com/fchollet/namex does


class Requirement(NamedTuple):
    """A line of the lock, and the licence of what is installed; None where that is not installed here."""

    name: str
    version: str
    always: bool  # on every system and Python
    licence: str | None


def locked(path: Path = LOCK) -> list[Requirement]:
    """All requirements of a lock."""
    found = LOCKED.findall(path.read_text(encoding="utf-8"))
    return [Requirement(name, version, not marker, _licence(name, version if marker else None))
            for name, version, marker in found]  # fmt: skip


def _licence(name: str, only: str | None) -> str | None:
    """Of what is installed by a name, which may be newer than the lock, unless it has to be `only` this version."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    return licence(said) or SAID_ELSEWHERE.get(name, "") if only in (None, said["Version"]) else None


def licence(said: Mapping) -> str:
    """What a package's metadata call its licence: the expression of PEP 639, else classifiers, else a line of text.

    said: an `importlib.metadata.PackageMetadata`.
    """
    classifiers = [entry.split(" :: ")[2:] for entry in said.get_all("Classifier", []) if entry.startswith("License")]
    text = (said["License"] or "").strip().partition("\n")[0]
    return said["License-Expression"] or " AND ".join(entry[-1] for entry in classifiers if entry) or text


def may_be_used(licence: str) -> bool:
    """Whether all that a licence names is on the list, which is more than SPDX's OR asks.

    >>> may_be_used("Apache-2.0 OR MIT"), may_be_used("MIT AND AGPL-3.0"), may_be_used("")
    (True, False, False)
    """
    return all(part in ALLOWED for part in re.split(r" AND | OR ", licence))


def to_markdown(found: list[Requirement]) -> str:
    """docs/measured/LICENCES.md."""
    here = [entry for entry in found if entry.licence is not None]
    others = [f"{entry.name} {entry.version}" for entry in found if entry.licence is None]
    return f"""# Licences of what aiface needs

Written by `make supply` from what the packages of requirements.txt say of themselves. Wheels bring libraries of their
own, such as FFmpeg in PyAV's and OpenCV's, under terms of theirs, which lie in the wheels.

{markdown_table(["package", "version", "licence"], [[e.name, e.version, e.licence] for e in here])}

Locked for other systems or versions of Python than the one that wrote this: {", ".join(others)}.
"""


def licence_row(found: list[Requirement]) -> Row:
    """Whether all that is installed of the lock may be used, and all of it that has to be installed is."""
    missing = [f"{entry.name} {entry.version} is not installed" for entry in found
               if entry.licence is None and entry.always]  # fmt: skip
    unknown = [f"{entry.name}: {entry.licence or 'says nothing'}" for entry in found
               if entry.licence is not None and not may_be_used(entry.licence)]  # fmt: skip
    here = sum(entry.licence is not None for entry in found)
    return Row(f"of {here} installed requirements, those whose licence is not on the list",
               "; ".join([str(len(unknown)), *unknown, *missing]), "0", not unknown + missing)  # fmt: skip


def audit(lock: Path = LOCK, auditor: Path = AUDITOR, ignored: Mapping[str, str] = IGNORED) -> Row:
    """Whether PyPI knows of a hole in what a lock installs here."""
    what = "known vulnerabilities in the locked requirements"
    if not auditor.exists():
        return Row(what, f"{NOT_MEASURED}: `make supply` installs pip-audit", "0")
    command = [str(auditor), "--strict", "--disable-pip", "--require-hashes", "--requirement", str(lock)]
    done = subprocess.run([*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = (done.stderr.strip() or "nothing").splitlines()[-1].removeprefix("ERROR:pip_audit._cli:")
        return Row(what, f"{NOT_MEASURED}: PyPI could not be asked ({said[:200]})", "0")
    holes = {(package["name"], hole["id"]): {hole["id"], *hole["aliases"]}
             for package in packages for hole in package["vulns"]}  # fmt: skip
    open_ = [f"{name}: {hole}" for (name, hole), names in holes.items() if not names & set(ignored)]
    stale = [f"{name}, ignored, is none any more" for name in ignored if name not in set().union(*holes.values())]
    waved = [f"{len(holes) - len(open_)} ignored with a reason"] if len(holes) > len(open_) else []
    return Row(f"{what} ({len(packages)} for this system)", "; ".join([str(len(open_)), *open_, *stale, *waved]), "0",
               not open_ + stale)  # fmt: skip


def measure(count: int = 0, kept: Path | None = None) -> list[Row]:
    """The figures asked for; `count` is no matter here."""
    return [licence_row(locked()), audit()]


def main(out: Path) -> int:
    """Write, tell, and say by the exit code whether all is well."""
    write_text(out / "LICENCES.md", to_markdown(locked()))
    rows = measure()
    print(*(f"{row.measure}: {row.found}  ({row.asked}) {MARK[row.met]}" for row in rows), sep="\n")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="May we use what we need, and is it sound?")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
    sys.exit(main(parser.parse_args().out))
