"""What the benchmarks look at: a clip of two people, made of a public-domain photo; and the loop to beat."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

from aiface.faces.crop import CROP_SIZE
from aiface.video.frames import Picture, VideoSource

WIDTH, HEIGHT, RATE = 1280, 720, 30
BIT_RATE = 3_000_000  # a second, as phones and platforms use
GRAIN = 4  # grey levels
FACE = (slice(0, 300), slice(90, 390))  # rows and columns of scikit-image's astronaut (NASA, public domain)


def images() -> Iterator[np.ndarray]:
    """Endless frames, RGB uint8 `(720, 1280, 3)`: two people who sway before a lively wall, and a sensor's noise."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, GRAIN, (8, HEIGHT, WIDTH, 3)).astype(np.int8)
    wall = cv2.resize(rng.integers(60, 180, (45, 80, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    person = cv2.resize(data.astronaut()[FACE], (400, 400), interpolation=cv2.INTER_CUBIC)
    people = ((person, 140, 200, 0.0), (cv2.resize(person[:, ::-1], (320, 320)), 820, 260, 2.0))
    number = 0
    while True:
        frame = np.roll(wall, number // 2, axis=1)
        for picture, x, y, phase in people:
            left, top = (round(at + 30 * np.sin(number / 25 + phase + turn)) for at, turn in ((x, 0), (y, 1)))
            frame[top : top + len(picture), left : left + len(picture)] = picture
        yield cv2.add(frame, grain[number % len(grain)], dtype=cv2.CV_8U)
        number += 1


def write_clip(path: Path, seconds: float) -> Path:
    """Those frames as H.264 with B-frames, at 30 a second, as phones and platforms store it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "bf": "3"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", BIT_RATE
        for image in islice(images(), round(seconds * RATE)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def repeat_clip(source: Path, path: Path, times: int) -> Path:
    """The same clip so many times over, its packets copied."""
    with av.open(str(path), "w") as output, av.open(str(source)) as first:
        stream = output.add_stream_from_template(first.streams.video[0])
        length = first.streams.video[0].duration
        for turn in range(times):
            with av.open(str(source)) as container:
                for packet in container.demux(video=0):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                    packet.stream = stream
                    output.mux(packet)
    return path


class Broadcast(VideoSource):
    """A live source that gives these frames at 30 a second for so many seconds, whether or not anybody keeps up."""

    def __init__(self, frames: Sequence[np.ndarray], seconds: float):
        super().__init__("broadcast", live=True)
        self._frames, self._seconds = frames, seconds

    def _read(self) -> Generator[Picture | None, None, None]:
        start = time.monotonic()
        for number in range(round(self._seconds * RATE)):
            while (early := start + number / RATE - time.monotonic()) > 0:
                time.sleep(min(early, 0.05))
            yield number / RATE, partial(self._frames.__getitem__, number % len(self._frames))


def reference_loop(path: Path, weights: Path, predict: Callable[[np.ndarray], object], frames: int) -> list[object]:
    """The usual demo: a face detector on every frame, box crops, `predict` for each eight of them.

    The usual one finds faces by Haar cascades, which have left OpenCV 5; here YuNet looks at every frame.
    """
    capture, crops, found = cv2.VideoCapture(str(path)), [], []
    finder = cv2.FaceDetectorYN.create(str(weights), "", (WIDTH, HEIGHT))
    for _ in range(frames):
        _, image = capture.read()
        _, faces = finder.detect(image)
        for x, y, width, height in (np.empty((0, 15)) if faces is None else faces)[:, :4].astype(int).tolist():
            box = image[max(y, 0) : y + height, max(x, 0) : x + width, ::-1]
            crops.append(cv2.resize(box, (CROP_SIZE, CROP_SIZE)))
        if len(crops) >= 8:
            found.append(predict(np.stack(crops[:8])))
            crops = crops[8:]
    capture.release()
    return found
