"""Where the repo keeps its own files, whatever folder one works in."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # beside the package
WEIGHTS = ROOT / "weights"
DETECTOR = WEIGHTS / "mobilenet_v2"  # judges where no other is named
