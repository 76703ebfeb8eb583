"""A detector as a file for other programs: pixels in, P(AI) out, held against the bundle's own scores.

All that belongs to a score lies inside: preprocessing, the look from both sides, temperature. What a program has to do
around it, to cut out faces and to read the answer, stands in the card beside the file.
"""

import importlib
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

import aiface
from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE, CROP_VERSION
from aiface.io.files import atomic_path, sha256, write_json
from aiface.io.greetings import greetings_hidden
from aiface.models.calibration import Calibration
from aiface.models.card import read_card
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras

EPSILON = 1e-3  # of P(AI), by which an exported file may differ from its bundle
INPUT, OUTPUT = "image", "score"
CROP = (
    "One face, levelled and cut out as FFHQ does it: half a side is max(2.0 x eye to eye, 1.8 x eyes to mouth), the "
    "centre lies 0.1 x eyes to mouth below the eyes; mirrored where it leaves the picture, resampled once, low-passed "
    "where it shrinks. aiface/faces/crop.py does it with NumPy and OpenCV alone; another crop gives wrong scores"
)
INSIDE = ("scaling and normalisation of pixels", "mean of the logits of the face and of its mirror image",
          "division by the temperature, and the logistic function")  # fmt: skip
ANSWER = "ai where score >= ai_from, real where score < real_below, else inconclusive"
NOT_INSIDE = (
    "aiface also pools the best looks at a person, and calls inconclusive a face under 64 pixels, one that is blurred, "
    "and one whose P(AI) as it is, mirrored or saved as JPEG of quality 75 lies further than unstable_above from this"
)
Run = Callable[[np.ndarray], np.ndarray]  # uint8 (1, 256, 256, 3) to the score, float32 of one number


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffixes, the main one first; what writes it, what reads it; how many faces at once.

    packages: what it takes beside aiface's own.
    """

    suffixes: tuple[str, ...]
    write: Callable[[keras.Model, Path], None]
    load: Callable[[Path], Run]
    batch: int | None = None
    packages: tuple[str, ...] = ()


def _onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda crop: session.run([OUTPUT], {INPUT: crop})[0]


def _openvino(path: Path) -> Run:
    from aiface.models.openvino_runtime import read

    return read(path)


def _write_openvino(network: keras.Model, path: Path) -> None:
    from aiface.models.openvino_runtime import write

    write(network, path)


def _by_keras(name: str) -> Callable[[keras.Model, Path], None]:
    return lambda network, path: network.export(str(path), format=name, verbose=False)


def _tflite(path: Path) -> Run:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ai_edge_litert will take its place
        run = tf.lite.Interpreter(str(path)).get_signature_runner()
    return lambda crop: run(**{INPUT: crop})[OUTPUT]


FORMATS = {
    "onnx": Format((".onnx",), _by_keras("onnx"), _onnx, packages=("tf2onnx", "onnx", "onnxruntime")),
    "openvino": Format((".xml", ".bin"), _write_openvino, _openvino),
    # of one face: a phone's accelerators take no tensors of unknown size
    "tflite": Format((".tflite",), _by_keras("litert"), _tflite, batch=1),
}


def export(folder: str | Path, to: str, out: str | Path, clips: bool = False) -> tuple[Path, Path, float]:
    """Write a bundle as `NAME.onnx`, `NAME.xml` and `NAME.bin`, or `NAME.tflite`, and a card, into the folder `out`.

    to: one of FORMATS. clips: its network for clips, as NAME-clips; it must have one of its own. Returns the file, its
    card, and the largest difference in P(AI) from the bundle's own scores, as Keras computes them, on `fixed_inputs`.
    Raises `ModelError` where it is more than EPSILON, where a package is missing and for a bundle that can't be read or
    exported; then nothing is written.
    """
    kind, folder, out = FORMATS[to], Path(folder), Path(out)
    _need(kind.packages, to)
    card = read_card(folder)
    if clips and "clips" not in card:
        raise ModelError(f"{folder}: expected a network of its own for clips, found one for all; leave out --clips")
    if clips:
        card |= card["clips"] | {"name": f"{card['name']}-clips"}
    with tempfile.TemporaryDirectory(prefix="aiface-") as place:
        parts = [Path(place, card["name"] + suffix) for suffix in kind.suffixes]
        difference = _make(folder, to, parts[0], clips)
        for part in parts:
            with atomic_path(out / part.name) as path:
                shutil.copyfile(part, path)
        about = out / f"{card['name']}.{to}.json"
        write_json(about, _card(card, to, parts, difference, clips))
    return out / parts[0].name, about, difference


def _make(folder: Path, to: str, path: Path, clips: bool) -> float:
    """Write the file alone, and hold it against the bundle."""
    detector, crops = load_detector(folder, "keras").of(moving=clips), fixed_inputs()
    try:
        with greetings_hidden(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras, tf2onnx and TensorFlow Lite tell of each other's age
            network = with_score(detector.network, detector.calibration, FORMATS[to].batch)
            FORMATS[to].write(network, path)
            run = FORMATS[to].load(path)
            found = np.array([np.asarray(run(crop[None])).item() for crop in crops])
    except Exception as error:  # whichever of three programs it comes from
        raise ModelError(
            f"{folder}: expected a network that can be exported to {to}, found {type(error).__name__}: {error}; "
            "try another format"
        ) from error
    return check(found, detector.score(crops), f"{folder} as {to}")


def check(found: np.ndarray, expected: np.ndarray, what: str) -> float:
    """The largest difference between scores `(n,)`; raises `ModelError` where it is more than EPSILON."""
    difference = float(np.abs(np.asarray(found, np.float64) - expected).max())
    if not difference <= EPSILON:  # nor where it is no number
        raise ModelError(
            f"{what}: expected P(AI) within {EPSILON:g} of the bundle's own, found a difference of {difference:g}; "
            "nothing was written; report it with what python -m aiface info prints"
        )
    return difference


def with_score(network: keras.Model, calibration: Calibration, batch: int | None = None) -> keras.Model:
    """Uint8 crops `(batch, 256, 256, 3)` to calibrated P(AI), float32 `(batch,)`, as `Detector.score` computes it."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):  # as arrays: tf2onnx makes inputs of TensorFlow's constants
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    image = keras.Input((CROP_SIZE, CROP_SIZE, 3), batch, dtype="uint8", name=INPUT)
    both = keras.ops.concatenate([image, keras.ops.flip(image, axis=2)])
    logits = keras.ops.mean(keras.ops.reshape(network(both), (2, -1)), axis=0)
    scored = keras.Model(image, {OUTPUT: keras.ops.sigmoid(logits / calibration.temperature)})
    scored(fixed_inputs()[:1])  # Keras exports what was called before
    return scored


def fixed_inputs() -> np.ndarray:
    """Crops `(10, 256, 256, 3)`, RGB uint8, always the same: soft shapes with more and more grain, black and white."""
    rng, size = np.random.default_rng(0), (CROP_SIZE, CROP_SIZE)
    crops = [np.zeros((*size, 3)), np.full((*size, 3), 255.0)]
    for number, cells in enumerate((2, 3, 4, 6, 8, 16, 32, 64)):
        soft = cv2.resize(rng.uniform(0, 255, (cells, cells, 3)), size, interpolation=cv2.INTER_CUBIC)
        crops.append(soft + rng.normal(0, 4 * number, soft.shape))
    return np.array(crops).clip(0, 255).astype(np.uint8)


def _need(packages: tuple[str, ...], to: str) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ModelError(
                f"export to {to}: expected the package {package}, found none ({error}); "
                f"run .venv/bin/pip install {' '.join(packages)} (the extra aiface[export])"
            ) from None


def _card(card: dict, to: str, parts: list[Path], difference: float, clips: bool) -> dict:
    calibration = Calibration(**card["calibration"])
    limits = {"of_a_picture": calibration.of(moving=False), "of_a_clip": calibration}
    if "clips" in card:  # another file has the others
        del limits["of_a_picture" if clips else "of_a_clip"]
    shape = [FORMATS[to].batch or "n", CROP_SIZE, CROP_SIZE, 3]
    return {
        "name": card["name"],
        "format": to,
        "files": {part.name: sha256(part) for part in parts},
        "made_from": {"backbone": card.get("backbone"), "sha256": card["sha256"],
                      "training": card["training"].get("summary")},
        "versions": {"aiface": aiface.__version__, "keras": version("keras")}
        | {package: version(package) for package in FORMATS[to].packages},
        "input": {"name": INPUT, "shape": shape, "dtype": "uint8", "range": [0, 255], "channels": "RGB",
                  "crop_version": CROP_VERSION, "crop": CROP},
        "inside": list(INSIDE),
        "output": {"name": OUTPUT, "shape": shape[:1], "dtype": "float32", "range": [0, 1],
                   "meaning": "calibrated P(AI), no logit: 0 is real, 1 is AI"},
        "answer": {"rule": ANSWER}
        | {what: {"ai_from": of.ai_from, "real_below": of.real_below} for what, of in limits.items()},
        "not_inside": NOT_INSIDE,
        "calibration": asdict(calibration),
        "checked": {"inputs": len(fixed_inputs()), "largest_difference": difference, "epsilon": EPSILON},
    }  # fmt: skip
