"""Damaged clips, decoded as the analysis decodes what strangers send: in a process of their own."""

import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np

from aiface.errors import AifaceError
from aiface.provenance.inspector import kind, provenance
from aiface.video.opening import open_video, sample
from benchmarks.soak.images import listed
from benchmarks.soak.mutate import mutate
from benchmarks.soak.watch import run, serve
from benchmarks.speed.clocks import Row

COUNT, SEED = 2000, 7
RATE = 5.0
FRAMES = 40  # of 96x72 pixels at 25 a second
KINDS = (
    ("mp4", "libx264", {}, {"movflags": "faststart"}), ("mp4", "mpeg4", {}, {}), ("mp4", "libx265", {}, {}),
    ("mp4", "libx264", {}, {"movflags": "frag_keyframe+empty_moov"}), ("mov", "mjpeg", {}, {}),
    ("mov", "libx264", {"bf": "2"}, {}), ("webm", "libvpx", {}, {}), ("webm", "libvpx-vp9", {}, {}),
    ("avi", "mpeg4", {}, {}), ("avi", "mjpeg", {}, {}),
)  # fmt: skip


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole clips of the usual containers and codecs, as far as this FFmpeg has them."""
    return tuple(_encoded(*kind) for kind in KINDS if kind[1] in av.codecs_available)


def _encoded(container: str, codec: str, options: dict, container_options: dict) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"whole.{container}")
        _encode(path, codec, options, container_options)
        return path.read_bytes()


def _encode(path: Path, codec: str, options: dict, container_options: dict) -> None:
    rng, quiet = np.random.default_rng(0), {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", container_options=container_options) as output:
        stream = output.add_stream(codec, rate=25, options={"g": "10", "threads": "1"} | options | quiet)
        stream.width, stream.height = 96, 72
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            image = np.roll(rng.integers(0, 60, (72, 96, 3)) + np.linspace(0, 190, 96, dtype=int)[:, None], number, 1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")))
        output.mux(stream.encode(None))


def damaged(seed: int, case: int) -> bytes:
    """The same bytes each time; a whole clip for case -1."""
    whole = seeds()
    if case < 0:
        return whole[0]
    rng = np.random.default_rng((seed, case))
    return mutate(rng, whole[rng.integers(len(whole))], whole)


def attempt(seed: int, case: int) -> str:
    """What comes of a damaged clip: `read`, `read in part` (it says how much), or `refused`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip")
        path.write_bytes(damaged(seed, case))
        try:
            kind(path)
            provenance(path)
            with open_video(path, rate=RATE, isolated=True) as video:
                frames = list(sample(video, RATE))
        except AifaceError:
            return "refused"
    if not frames or (video.warning and not video.warning.startswith("read ")):
        raise AssertionError(f"expected frames and 'read N of about M', found {len(frames)}, {video.warning!r}")
    if video.warning and "decoder" in video.warning:
        return "decoder lost, read in part"
    return "read in part" if video.warning else "read"


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for."""
    tally = run("benchmarks.soak.videos", count, SEED, kept)
    outcomes = ", ".join(f"{number} {name}" for name, number in sorted(tally.outcomes.items()))
    return [
        Row(f"parent's crashes in {tally.cases} damaged clips", listed(tally.crashes), "0", not tally.crashes),
        Row(f"hangs ({outcomes})", listed(tally.hangs), "0", not tally.hangs),
        Row("longest, a new process's start included", f"{tally.seconds[0]:.2f} s (case {tally.seconds[1]})"),
    ]


if __name__ == "__main__":
    serve(attempt)
