"""`make soak`: hours of damaged files, kills and endless streams, and docs/RELIABILITY.md from what came of them.

    python -m benchmarks.soak [--only images videos ...] [--share 0.01]

Parts left out keep their last figures. `--share` does that share of each count, to see that all works; its figures are
printed and not kept. Interrupted, images and videos go on where they stopped.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from aiface.files import WEIGHTS, write_json, write_text
from aiface.results import markdown_table
from benchmarks.bench import MARK, machine
from benchmarks.clocks import Row
from benchmarks.soak import archives, camera, clients, images, kills, real, stream, videos, writes

PARTS: Mapping[str, tuple[Callable[[int, Path | None], list[Row]], int, str]] = {
    "images": (images.measure, images.COUNT, "damaged pictures harm nothing"),
    "videos": (videos.measure, videos.COUNT, "damaged clips harm nothing"),
    "kills": (kills.measure, kills.COUNT, "a killed training ends as if it had not been"),
    "writes": (writes.measure, 0, "a write that fails says so and spoils nothing"),
    "archives": (archives.measure, 0, "models and archives that mean harm are refused"),
    "camera": (camera.measure, 0, "a camera that fails in any way is named or comes back"),
    "stream": (stream.measure, stream.COUNT, "24 hours of frames take no more than the first"),
    "real": (real.measure, real.COUNT, "half an hour of real decoding and scoring takes no more than its beginning"),
    "clients": (clients.measure, clients.COUNT, "the web app answers each file that it took"),
}
PYTEST, BATS = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider"), ("bats",)
TESTS: Mapping[str, tuple[str, ...]] = {
    "only bundles whose hash matches their card load":
        (*PYTEST, "tests/test_detector.py", "-k", "refused or hash or card"),
    "the web app bounds and forgets what is sent, and opens nothing by name or address": (*PYTEST, "tests/test_app.py"),
    "downloads are whole or not there": (*BATS, "tests/shell"),
}  # fmt: skip
SCOPE = """## Out of scope

- **An attacker who adapts to the detector.** Whoever can ask it as often as they like can find a picture that it calls
  real. A verdict is a statistical judgement.
- **Untrusted models.** What is checked keeps accidents and the known attacks out; a bundle still is a program of sorts:
  take yours from where you take the code.
- **Live addresses.** A URL is decoded in this process, with a limit on time and none on memory: open those you trust.
- An honest picture takes at least seven bytes a pixel while it is read, so one of 50 megapixels more than the bar,
  which is about damaged ones.
"""


def run_tests(command: tuple[str, ...]) -> Row:
    """A row on tests of the suite: how many passed."""
    shown = " ".join(["python", *command[1:3], *command[5:]] if command[0] == sys.executable else command)
    try:
        done = subprocess.run(command, cwd=WEIGHTS.parent, capture_output=True, text=True)
    except FileNotFoundError:
        return Row(f"`{shown}`", f"not run: {command[0]} is not installed")
    passed = re.search(r"(\d+) passed", done.stdout)
    found = f"{passed[1] if passed else len(re.findall(r'^ok ', done.stdout, re.M))} passed"
    return Row(f"`{shown}`", found if done.returncode == 0 else f"failed: {done.stdout[-300:]}", "all",
               done.returncode == 0)  # fmt: skip


def to_markdown(found: Mapping) -> str:
    """docs/RELIABILITY.md."""
    rows = [
        [part["promise"], part["command"], row["measure"], row["found"], row["asked"], MARK[row["met"]]]
        for part in found.values()
        for row in part["rows"]
    ]
    machines = ", ".join(sorted({f"{part['machine']} ({part['when']})" for part in found.values()}))
    return f"""# What it withstands

Written by `make soak`, which takes hours; `make test` holds short versions of the same. A crash or hang is listed with
the seed and case that make the same bytes again: `benchmarks.soak.images.damaged(seed, case)`. Machine: {machines}.

{markdown_table(["promise", "what tests it", "measure", "last figure", "asked", ""], rows)}

{SCOPE}"""


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description="Does it withstand what strangers and accidents do?")
    parser.add_argument("--only", nargs="+", choices=(*PARTS, "tests"), default=(*PARTS, "tests"))
    parser.add_argument("--share", type=float, default=1.0, help="of each count (default 1)")
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent / "docs")
    options = parser.parse_args()
    kept = options.out / "reliability.json"
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    folder = Path(tempfile.gettempdir(), "aiface-soak-progress")
    for name in (name for name in PARTS if name in options.only):
        measure, count, promise = PARTS[name]
        progress = folder / f"{name}.json" if options.share == 1 else None
        found[name] = _part(promise, f"`make soak` ({name})", measure(round(count * options.share), progress))
        if progress:
            progress.unlink(missing_ok=True)
            _write(options.out, found)
    for promise, command in TESTS.items() if "tests" in options.only else ():
        found[promise] = _part(promise, "`make test`", [run_tests(command)])
    if options.share == 1:
        _write(options.out, found)


def _part(promise: str, command: str, rows: list[Row]) -> dict:
    print(f"\n{promise}", *(f"  {row.measure}: {row.found}  ({row.asked}) {MARK[row.met]}" for row in rows), sep="\n",
          flush=True)  # fmt: skip
    return {"promise": promise, "command": command, "machine": machine(), "when": f"{datetime.now(UTC):%Y-%m-%d}",
            "rows": [asdict(row) for row in rows]}  # fmt: skip


def _write(out: Path, found: Mapping) -> None:
    write_json(out / "reliability.json", found)
    write_text(out / "RELIABILITY.md", to_markdown(found))


if __name__ == "__main__":
    main()
