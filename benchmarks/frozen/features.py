"""`python -m benchmarks.frozen.features CROPS OUT`: what frozen networks see of each crop, as it is and degraded.

Two MobileNetV2 look at a crop: the detector of 0.1.0, and the one of ImageNet, which learnt of no face and no fake, and
so knows no generator by heart. Each sees all of it, and its middle enlarged twofold: its first layer passes over three
pixels of four, and with them over what generators leave in fine detail. Both are read early on
(`aiface.models.network.read_levels`). What a head is then trained on costs no pass of a network, so that a training on
folds takes seconds. Each copy of the crops, the first as it is, the others degraded as in training, is one array;
interrupted, it goes on after the last one.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from aiface.data.crop_sets import CropSet
from aiface.data.degrade import degrade, tighten, window
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import atomic_path
from benchmarks.quality.unseen import START

BATCH = 16
USUAL = 20  # one crop in so many tells what is usual


def towers() -> Mapping:
    """The networks and how much each sees of a crop, by name."""
    from aiface.models.bundle import load_network
    from aiface.models.network import build, initialise

    plain = build("mobilenet_v2")
    initialise(plain, "imagenet")
    networks = {"start": load_network(START), "imagenet": plain}
    whole = {name: (network, CROP_SIZE) for name, network in networks.items()}
    return whole | {f"{name}_middle": (network, CROP_SIZE // 2) for name, network in networks.items()}


def seeing(usual: np.ndarray | None):
    """What reads them all, as a Keras network; `usual` is what `usual_of` found, kept in the features' folder."""
    from aiface.models.network import read_levels

    return read_levels(towers(), usual)


class Runner:
    """A Keras network through OpenVINO in float32: uint8 crops `(n, 256, 256, 3)` to float32 `(n, channels)`."""

    def __init__(self, network):
        import openvino

        from aiface.models.openvino_runtime import convert, unpack

        hints = {"INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = openvino.Core().compile_model(unpack(convert(network)), "CPU", hints)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """What the network makes of them."""
        return self._compiled(crops)[0]


def usual_of(crops: CropSet) -> np.ndarray:
    """Each channel's mean over some of the training crops, float32 `(channels,)`: what lies above it is read, too."""
    some = crops.select(np.cumsum(crops.splits == "train") % USUAL == 0)
    return seen(Runner(seeing(None)), some, 0).mean(axis=0)


def seen(runner: Runner, crops: CropSet, copy: int) -> np.ndarray:
    """Features float32 `(n, channels)` of all crops: as they are (copy 0), or degraded, each copy in its own way."""
    with ThreadPoolExecutor(2) as pool:
        batches = _ahead(pool, (lambda i: shown(crops[i], copy, i)), range(len(crops)))
        return np.concatenate([runner(np.stack(batch)) for batch in tqdm(batches, total=-(-len(crops) // BATCH))])


def _ahead(pool: ThreadPoolExecutor, make, items: Sequence[int]) -> Iterator[list[np.ndarray]]:
    """Batches made in threads, one ahead of the other's use."""
    starts = range(0, len(items), BATCH)
    waiting = ([pool.submit(make, item) for item in items[start : start + BATCH]] for start in starts)
    ready = list(islice(waiting, 2))
    while ready:
        yield [future.result() for future in ready.pop(0)]
        ready += islice(waiting, 1)


def shown(crop: np.ndarray, copy: int, number: int) -> np.ndarray:
    """A crop as a head is trained on it: uint8 `(256, 256, 3)`."""
    if not copy:
        return crop
    cv2.setNumThreads(1)
    rng = np.random.default_rng((copy, number))
    image = window(tighten(crop, rng) if rng.random() < 0.3 else crop, CROP_SIZE, rng)
    return degrade(np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image), rng)


def save(path: Path, array: np.ndarray) -> None:
    """An array's file, whole or not there."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def main() -> None:
    """Write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", default=2, type=int, help="of each crop, the first as it is")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    crops = CropSet(options.crops)
    if not (usual := options.out / "usual.npy").exists():
        save(usual, usual_of(crops))
    runner = Runner(seeing(np.load(usual)))
    for copy in range(options.copies):
        if not (path := options.out / f"copy-{copy}.npy").exists():
            save(path, seen(runner, crops, copy).astype(np.float16))


if __name__ == "__main__":
    main()
