"""Scoring through OpenVINO, from a network that is converted once and then kept in the user's cache folder.

Importing this module takes OpenVINO, but neither Keras nor its backends; only a conversion does.
"""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from aiface.faces.crop import CROP_SIZE
from aiface.faces.openvino_import import compiled, openvino
from aiface.io.files import atomic_path
from aiface.io.greetings import greetings_hidden

if TYPE_CHECKING:
    from aiface.models.keras_import import keras

STREAMS = 4  # crops at once, each of which takes memory of its own


class OpenVinoRuntime:
    """Gives a network's logits, to one thread or several; `name` says by what.

    precision: "auto" computes in what OpenVINO holds for this CPU's best (bfloat16 or float16 where it has
    instructions for that, else float32); "f32" and "int8" in float32, but for what is quantised in `model`.

    Crops are scored one by one, each on a core of its own, or on a few where there are more than STREAMS: that takes a
    quarter less of two cores' time than both of them at one crop. So a score can't depend on a crop's company, nothing
    is padded, and on a CPU larger batches are no faster: at 256 px their activations outgrow its caches.
    """

    def __init__(self, model: openvino.Model, precision: str = "auto"):
        best = fastest()
        hints: dict[str, str | int] = {
            "NUM_STREAMS": min(STREAMS, _cores()),
            "INFERENCE_PRECISION_HINT": best if precision == "auto" else "f32",
        }
        if os.environ.get("OMP_NUM_THREADS"):
            hints["INFERENCE_NUM_THREADS"] = _cores()
        model.reshape([1, CROP_SIZE, CROP_SIZE, 3])
        self.name = f"OpenVINO {version('openvino')}, {best if precision == 'auto' else precision}"
        self._queue = openvino.AsyncInferQueue(compiled(model, hints), min(STREAMS, _cores()))
        self._lock = Lock()

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 `(n,)` of uint8 crops `(n, 256, 256, 3)`."""
        found = np.empty(len(crops), np.float32)

        def keep(request: openvino.InferRequest, place: int) -> None:
            found[place] = request.get_output_tensor(0).data.item()

        with self._lock:
            self._queue.set_callback(keep)
            try:
                for place, crop in enumerate(crops):
                    self._queue.start_async([crop[None]], place)
            finally:  # where Ctrl-C interrupts this, none may be left for the next call
                self._queue.wait_all()
        return found


def _cores() -> int:
    """How many cores are this process's own, as Ray and Slurm say it, or the system."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("OMP_NUM_THREADS") or own)


def fastest() -> str:
    """The precision that OpenVINO holds for this CPU's best, such as "bf16"."""
    return openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()


def converted(sha256: str, network: "Callable[[], keras.Model]") -> openvino.Model:
    """A bundle's network for OpenVINO, in float32: from the user's cache, or converted and left there.

    sha256: of the network's file, which names the cache's entry together with OpenVINO's version. network: loads it,
    if that is needed. An entry that is damaged is made again; where none can be written, the network is converted
    each time.
    """
    path = user_cache_path("aiface") / f"{sha256}-openvino-{version('openvino')}-f32.zip"
    if (model := _kept(path)) is not None:
        return model
    packed = convert(network())
    with suppress(OSError), atomic_path(path) as temporary:
        temporary.write_bytes(packed)
    return unpack(packed)


def _kept(path: Path) -> openvino.Model | None:
    try:
        return unpack(path.read_bytes())
    except Exception:  # it isn't there, or is damaged, in whichever of many ways: it can be made again
        return None


def convert(network: "keras.Model") -> bytes:
    """A Keras network for OpenVINO, `pack`ed. Takes TensorFlow, whose graph is what OpenVINO reads."""
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder, greetings_hidden():
        path = Path(folder, "network.xml")
        network.export(str(path), format="openvino", verbose=False)
        model = unpack(_pack(path))
    for left_over in model.get_results()[1:]:  # the size of maps that were enlarged
        model.remove_result(left_over)
    return pack(model)


def pack(model: openvino.Model) -> bytes:
    """OpenVINO's two files as one zip file, which is replaced as a whole and holds the checksums of its parts."""
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        path = Path(folder, "network.xml")
        openvino.save_model(model, path, compress_to_fp16=False)
        return _pack(path)


def _pack(path: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in (path, path.with_suffix(".bin")):
            archive.write(part, part.name)
    return packed.getvalue()


def unpack(packed: bytes) -> openvino.Model:
    """The network in a zip file that `pack` made; raises one of several errors if it is damaged."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return openvino.Core().read_model(archive.read("network.xml"), archive.read("network.bin"))


def read(path: Path) -> OpenVinoRuntime:
    """The network in OpenVINO's two files, of which the .xml is named, in float32; it may give another number."""
    return OpenVinoRuntime(openvino.Core().read_model(path), "f32")


def write(network: "keras.Model", path: Path) -> None:
    """A Keras network as OpenVINO's two files, of which the .xml is named."""
    openvino.save_model(unpack(convert(network)), path, compress_to_fp16=False)
