"""`python -m aiface` with the finder and the detector of `scene`, for tests that kill it."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import scene

import aiface.faces.finder
import aiface.models.detector
from aiface.__main__ import main

aiface.faces.finder.load_finder = lambda folder: scene.Finder()
aiface.models.detector.load_detector = lambda *arguments: scene.detector()

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what runs in the background ignore it
    sys.exit(main(sys.argv[1:]))
