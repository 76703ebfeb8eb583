"""The detector: crops in, calibrated P(AI) out.

It scores through OpenVINO, which on a CPU is several times faster than Keras and starts in a second. Keras is the
reference, and what remains where OpenVINO is missing or can't convert the network.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from aiface.errors import ModelError
from aiface.faces.photograph import is_art
from aiface.models import views
from aiface.models.calibration import Calibration
from aiface.models.card import CARD, CLIPS, INT8, NETWORK, check_file, read_card
from aiface.paths import DETECTOR

if TYPE_CHECKING:
    from aiface.models.keras_import import keras

RUNTIMES = ("openvino", "keras")
PRECISIONS = ("auto", "f32", "int8")

Runtime = Callable[[np.ndarray], np.ndarray]  # uint8 RGB crops (n, 256, 256, 3) to float32 logits (n,)


class Detector:
    """Scores crops; `card` is what its bundle's card says.

    runtime: gives the logits of at least one crop. load_network: gives the network itself, the same one each time.
    load_clips: gives the detector for clips, where that is another (`of`).
    """

    def __init__(
        self,
        runtime: Runtime,
        card: Mapping,
        load_network: "Callable[[], keras.Model] | None" = None,
        load_clips: "Callable[[], Detector] | None" = None,
    ):
        self.runtime = runtime
        self.card = card
        self.calibration = Calibration(**card["calibration"])
        self._load_network, self._load_clips = load_network, load_clips

    def of(self, moving: bool) -> "Detector":
        """The detector of clips, or of pictures; they may be the same. Both share a calibration."""
        return self._load_clips() if moving and self._load_clips else self

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.card["name"]

    @property
    def computed_by(self) -> str:
        """What gives the logits, such as "OpenVINO 2026.4.1, f32"."""
        return getattr(self.runtime, "name", "a function")

    @property
    def network(self) -> "keras.Model":
        """The Keras network, for what needs more than its logits; loaded at first use.

        Raises `ModelError` if this detector was made without one.
        """
        if self._load_network is None:
            raise ModelError("expected a detector with a network, found one of bare logits; use load_detector")
        return self._load_network()

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Uncalibrated logits, float32 `(n,)`, of uint8 crops `(n, 256, 256, 3)`, seen from `views.both_sides`."""
        return views.mean_of(self.sides(crops))

    def sides(self, crops: np.ndarray, both: bool = True) -> np.ndarray:
        """Those of each side, float32 `(2, n)`: of the crops, and of their mirror images; or of the crops alone."""
        if not len(crops):
            return np.zeros((1 + both, 0), np.float32)
        return views.each_side(self.runtime, crops) if both else self.runtime(crops)[None]

    def score(self, crops: np.ndarray) -> np.ndarray:
        """Calibrated P(AI), float32 `(n,)`, of uint8 RGB crops `(n, 256, 256, 3)`."""
        return self.score_of(self.sides(crops))

    def score_of(self, sides: np.ndarray) -> np.ndarray:
        """The same of logits that `sides` gave, of one side or both."""
        return self.calibration.probability(views.mean_of(sides))

    def measure(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores `(n,)` of crops `(n, 256, 256, 3)`, and how far their views lie from them (`views.spread`)."""
        logits, of_views = views.measured(self.runtime, [crops] if len(crops) else [])
        scores = self.calibration.probability(logits)
        return scores, views.spread(scores, self.calibration.probability(of_views))

    def spread(self, crops: np.ndarray, sides: np.ndarray) -> float:
        """The median spread of faces, as near as it takes to tell whether it is stable: many of them need no pass.

        crops: at least one, `(n, 256, 256, 3)`. sides: their logits as `sides` gave them, of one side or both.
        """
        probability = self.calibration.probability

        def whole(face: int) -> float:
            crop, own = crops[face : face + 1], sides[:, face]
            if len(own) == 1:
                own = np.append(own, self.runtime(views.mirrored(crop)))
            again = self.runtime(views.encoded_again(crop[0])[None])
            return float(views.spread(probability(views.mean_of(own)), probability(np.append(own, again))))

        known = views.spread(self.score_of(sides), probability(sides))
        return views.settled(known, whole, self.calibration.unstable_above)

    def is_art(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """Which of some crops are no photographs, so that their scores say nothing: bool `(n,)`."""
        return np.array([is_art(crop) for crop in crops], bool)


def load_detector(folder: str | Path = DETECTOR, runtime: str = "openvino", precision: str = "f32") -> Detector:
    """Load a bundle after checking that its files are whole and that it speaks this package's language.

    runtime: "openvino", which converts the network at first use and keeps that in the user's cache folder, or
    "keras", the reference. precision, of OpenVINO: "f32" answers as Keras does, on every machine; "auto" is what this
    CPU does fastest (bfloat16 on new ones, whose rounding moves one verdict in fifty to or from inconclusive); "int8"
    is the version that `aiface.training.quantize` added to the bundle, with its own calibration.

    Where OpenVINO can't be had, Keras scores and a line on standard error says so; but not for "int8". Raises
    `ModelError` naming what is missing or differs, `ValueError` for another runtime or precision. Of a bundle with two
    networks each is loaded at first use, which may raise `ModelError` too.
    """
    if runtime not in RUNTIMES or precision not in PRECISIONS or (runtime, precision) == ("keras", "int8"):
        raise ValueError(
            f"expected a runtime among {', '.join(RUNTIMES)} and a precision among {', '.join(PRECISIONS)} "
            f"(int8 with openvino only), found {runtime!r} and {precision!r}"
        )
    folder, card = Path(folder), read_card(folder)
    if precision == "int8":  # of pictures and clips
        found = _int8_runtime(folder, card)
        card |= {"calibration": card["int8"]["calibration"]}
        return Detector(found, card, cache(partial(_load_network, folder, NETWORK)))
    if "clips" not in card:
        load_network = cache(partial(_load_network, folder, NETWORK))
        return Detector(_runtime(card, load_network, runtime, precision), card, load_network)
    load = partial(_later, folder, runtime=runtime, precision=precision)
    return load(NETWORK, card, load_clips=cache(partial(load, CLIPS, card | card["clips"])))


def _later(
    folder: Path,
    name: str,
    card: Mapping,
    runtime: str,
    precision: str,
    load_clips: Callable[[], Detector] | None = None,
) -> Detector:
    """One of two detectors, whose network is loaded at first use: most inputs need but one."""
    load_network = cache(partial(_load_network, folder, name))
    return Detector(_Later(partial(_runtime, card, load_network, runtime, precision)), card, load_network, load_clips)


class _Later:
    """A runtime that `load` gives, once it is needed."""

    def __init__(self, load: Callable[[], Runtime]):
        self._load = cache(load)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """What the runtime gives."""
        return self._load()(crops)

    @property
    def name(self) -> str:
        """The runtime's."""
        return getattr(self._load(), "name", "a function")


def _runtime(card: Mapping, load_network: "Callable[[], keras.Model]", runtime: str, precision: str) -> Runtime:
    found = _openvino_runtime(card["sha256"], load_network, precision) if runtime == "openvino" else None
    return found or _keras_runtime(load_network())


def _openvino_runtime(sha256: str, load_network: "Callable[[], keras.Model]", precision: str) -> Runtime | None:
    try:
        from aiface.models.openvino_runtime import OpenVinoRuntime, converted

        return OpenVinoRuntime(converted(sha256, load_network), precision)
    except ModelError:  # the network's own fault
        raise
    except Exception as error:  # whatever keeps it from working here, there is Keras
        _say_once(f"aiface: OpenVINO can't be used ({shorten(str(error), 200)}); Keras scores, several times slower")
        return None


def _int8_runtime(folder: Path, card: Mapping) -> Runtime:
    if "int8" not in card:
        raise ModelError(
            f"{folder / CARD}: expected an INT8 version, found none; add it with python -m aiface quantize"
        )
    check_file(folder / INT8, card["int8"]["sha256"])
    try:
        from aiface.models.openvino_runtime import OpenVinoRuntime, unpack

        return OpenVinoRuntime(unpack((folder / INT8).read_bytes()), "int8")
    except Exception as error:
        raise ModelError(
            f"{folder / INT8}: expected a network for OpenVINO, which can't be used ({error}); choose precision 'f32'"
        ) from error


def _keras_runtime(network: "keras.Model") -> Runtime:
    from aiface.models.keras_runtime import KerasRuntime

    return KerasRuntime(network)


def _load_network(folder: Path, name: str) -> "keras.Model":
    from aiface.models.bundle import load_network

    return load_network(folder, name)


@cache
def _say_once(line: str) -> None:
    print(line, file=sys.stderr)
