"""`make soak`: hours of damaged files, kills and endless streams: docs/measured/RELIABILITY.md.

    python -m benchmarks.soak [--only images videos ...] [--share 0.01]

Parts left out keep their last figures. `--share` does that share of each count, to see that all works; its figures are
printed and not kept. Interrupted, images and videos go on where they stopped.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from aiface.evaluation.report import markdown_table
from aiface.io.files import write_json, write_text
from aiface.paths import ROOT
from benchmarks.soak import archives, camera, clients, images, kills, real, stream, videos, writes
from benchmarks.speed.clocks import MARK, NOT_MEASURED, Row, machine
from benchmarks.upkeep import supply

PARTS: Mapping[str, tuple[Callable[[int, Path | None], list[Row]], int, str]] = {
    "images": (images.measure, images.COUNT, "damaged pictures harm nothing"),
    "videos": (videos.measure, videos.COUNT, "damaged clips harm nothing"),
    "kills": (kills.measure, kills.COUNT, "a killed training ends as if it had not been"),
    "writes": (writes.measure, 0, "a write that fails says so and damages nothing"),
    "archives": (archives.measure, 0, "models and archives that mean harm are refused"),
    "camera": (camera.measure, 0, "a camera that fails in any way is named or comes back"),
    "supply": (supply.measure, 0, "what is installed may be used and has no known hole"),
    "stream": (stream.measure, stream.COUNT, "24 hours of frames take no more than the first"),
    "real": (real.measure, real.COUNT, "half an hour of real decoding and scoring takes no more than its beginning"),
    "clients": (clients.measure, clients.COUNT, "the web app answers each file that it took"),
}
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
IN_APP = (clients.PYTHON, *PYTEST[1:])
TESTS: Mapping[str, tuple[str, ...]] = {
    "a picture is measured before it is decoded: 201 megapixels at most, no false sizes or lengths":
        (*PYTEST, "tests/io/test_images.py", "-k", "bad_images or false_length or megapixels"),
    "what strangers' files are and hold is looked up in processes with limits, and an early end is told":
        (*PYTEST, "tests/video/test_sandboxed.py", "tests/provenance/test_inspector.py",
         "tests/video/test_opening.py",
         "-k", "sandboxed or inspector or damaged_clip"),
    "an interrupted training ends as one that was left alone, and a damaged state is named":
        (*PYTEST, "tests/training/test_trainer.py", "-k", "interrupted or damaged_state or another_seed"),
    "a file is written whole or not at all": (*PYTEST, "tests/io/test_files.py", "tests/models/test_bundle.py",
                                              "-k", "atomic or failed or replaces"),
    "only bundles whose hash matches their card load, and never with code in them":
        (*PYTEST, "tests/models/test_detector.py", "tests/models/test_bundle.py",
         "-k", "wrong_bundle or wrong_int8 or safe_mode"),
    "weights from elsewhere need their SHA-256 beside their name":
        (*PYTEST, "tests/models/test_network.py", "-k", "from_elsewhere or another_kind or missing_weights or harm"),
    "an archive that means harm is refused before anything is written": (*PYTEST, "tests/io/test_unzip.py"),
    "downloads are whole or not there, and videos are resized or left": ("bats", "tests/shell"),
    "shell scripts have no known slips":
        ("shellcheck", "fetch.sh", "resizing.sh", "tests/shell/helpers.bash", "tests/shell/fetch.bats",
         "tests/shell/resizing.bats", ".ci/run"),
    "the web app is this machine's alone, bounds and forgets what is sent, and opens nothing by name or address":
        (*IN_APP, "tests/apps/web/test_app.py"),
    "what is installed is locked by hash and may be used": (*PYTEST, "tests/benchmarks/upkeep/test_supply.py"),
}  # fmt: skip
SCOPE = """## Out of scope

- **An attacker who adapts to the detector.** Whoever can ask it as often as they like can find a picture that it calls
  real. A verdict is a statistical judgement.
- **Untrusted models.** What is checked keeps accidents and the known attacks out; a bundle still is a program of sorts:
  take yours from where you take the code.
- **Live addresses.** A URL is decoded in this process, with a limit on time and none on memory: open those you trust.
- **What Gradio brings.** The web app's extra is not locked by hash, since it takes an older Pillow than the lock has.
- **Holes that PyPI does not list.** Where its list can't be asked, `make supply` says so and fails; there is no figure
  then.
- An honest picture takes at least seven bytes a pixel while it is read, so one of 50 megapixels takes more than the
  bar, which is about damaged ones.
"""


def run_tests(command: tuple[str, ...]) -> Row:
    """A row on tests of the suite: how many passed. Where some were skipped, nothing is claimed."""
    shown = shlex.join(["python", *command[1:3], *command[5:]] if command[1:3] == PYTEST[1:3] else command)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return Row(f"`{shown}`", f"{NOT_MEASURED}: {command[0]} is not installed")
    if done.returncode:
        return Row(f"`{shown}`", f"failed: {done.stdout[-300:]}", "all", False)
    passed, skipped = outcomes(done.stdout)
    found = f"{passed} passed" if passed or skipped else "no complaints"
    return Row(f"`{shown}`", f"{found}, {skipped} skipped" if skipped else found, "all", None if skipped else True)


def outcomes(said: str) -> tuple[int, int]:
    """How many tests passed and how many were skipped, as pytest or bats says.

    >>> outcomes("2 passed, 1 skipped in 0.1s"), outcomes("ok 1 a\\nok 2 b # skip no disk"), outcomes("")
    ((2, 1), (1, 1), (0, 0))
    """
    lines = re.findall(r"^ok .*", said, re.MULTILINE)
    skipped = sum(" # skip" in line for line in lines)
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|skipped)", said)}
    return counts.get("passed", len(lines) - skipped), counts.get("skipped", skipped)


def to_markdown(found: Mapping) -> str:
    """docs/measured/RELIABILITY.md: a row at least for each promise, be it measured or not."""
    known = {name: (promise, f"`make soak` ({name})") for name, (_, _, promise) in PARTS.items()}
    known |= {promise: (promise, _target(command)) for promise, command in TESTS.items()}
    none = {"rows": [{"measure": "", "found": f"{NOT_MEASURED} yet", "asked": "", "met": None}]}
    rows = [
        [promise, command, row["measure"], row["found"], row["asked"], MARK[row["met"]]]
        for name, (promise, command) in known.items()
        for row in found.get(name, none)["rows"]
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
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
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
        found[promise] = _part(promise, _target(command), [run_tests(command)])
    if options.share == 1:
        _write(options.out, found)


def _target(command: tuple[str, ...]) -> str:
    targets = {"shellcheck": "lint", clients.PYTHON: "test-extras", sys.executable: "test"}
    return f"`make {targets.get(command[0], 'test')}`"


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
