"""What the file of a network may hold, looked through before Keras or HDF5 load anything from it.

A card's hash says that a bundle is whole, not that its maker means well. Keras's safe mode refuses code; layers that
read files, links to other files, and numbers that ask for all memory are refused here.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from aiface.errors import DataError, ModelError
from aiface.io.unzip import check

PARTS = {"metadata.json", "config.json", "model.weights.h5"}
MOST_BYTES = 1 << 30
MOST_OBJECTS = 100_000  # in an HDF5 file
LONGEST = 16_384  # along an axis of a weight
LAYERS = {
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D", "Cropping2D", "Dense",
    "DepthwiseConv2D", "Dropout", "Flatten", "GlobalAveragePooling2D", "InputLayer", "LeakyReLU", "MaxPooling2D",
    "Multiply", "Normalization", "ReLU", "Rescaling", "Reshape", "SeparableConv2D", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
ENLARGED = 4  # times that a network may enlarge its maps, all layers together
PADDED = 256  # cells that a layer may add to a side
PLAIN = {"keras", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.activations"}
SIZES = ("units", "filters", "kernel_size")  # in a layer's settings, of which its weights have the shape


def vet_network(path: Path) -> None:
    """Raise `ModelError` unless a `.keras` file is one that this package could have written."""
    try:
        with zipfile.ZipFile(path) as archive:
            check(archive, path, MOST_BYTES)
            if names := {part.filename for part in archive.infolist()} ^ PARTS:
                raise DataError(f"expected the parts {', '.join(sorted(PARTS))}, found a difference: {sorted(names)}")
            config = json.loads(archive.read("config.json"))
            axes = vet_weights(io.BytesIO(archive.read("model.weights.h5")), path)
        if fault := network_fault(config, axes):
            raise DataError(fault)
    except (DataError, OSError, ValueError, RecursionError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ModelError(
            f"{path}: expected a network of plain layers, found another thing ({error}); don't load it elsewhere either"
        ) from None


def network_fault(config: object, axes: set[int]) -> str | None:
    """Why a network of this configuration, whose weights have `axes` of these lengths, would not be loaded, if so."""
    if max(axes, default=0) > LONGEST:
        return f"weights with an axis of {max(axes)}, over {LONGEST}"
    return next(_faults(config, axes), None)


def vet_weights(file: str | Path | BinaryIO, path: str | Path) -> set[int]:
    """The lengths of all axes of the arrays in an HDF5 file; raises `ModelError` if it holds what could do harm.

    That is: links to other files or places, data that lie elsewhere, objects instead of numbers, and arrays larger
    than `LONGEST` along an axis or 1 GB together. `path`: what to call the file.
    """
    total, count, axes = 0, 0, set()
    try:
        with h5py.File(file, "r") as root:
            for name, node in _nodes(root, ""):
                count += 1
                if fault := _node_fault(node):
                    raise ValueError(f"{name}: {fault}")
                if isinstance(node, h5py.Dataset):
                    total += int(np.prod(node.shape, dtype=object)) * node.dtype.itemsize
                    axes |= set(node.shape)
                if total > MOST_BYTES or count > MOST_OBJECTS:
                    raise ValueError(f"over {MOST_BYTES} bytes or {MOST_OBJECTS} arrays")
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelError(f"{path}: expected arrays of weights, found another thing ({error}); replace it") from None
    return axes


def _nodes(group: h5py.Group, above: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """All below a group, links as they are: what is looked up by name, HDF5 would follow into other files."""
    if depth > 50:
        raise ValueError(f"{above}: groups within groups without end")
    for name in group:
        place, link = f"{above}/{name}", group.get(name, getlink=True)
        node = group[name] if isinstance(link, h5py.HardLink) else link
        yield place, node
        if isinstance(node, h5py.Group):
            yield from _nodes(node, place, depth + 1)


def _node_fault(node: object) -> str | None:
    if isinstance(node, h5py.Group):
        return None
    if not isinstance(node, h5py.Dataset):
        return "a link to another file or place"
    if node.is_virtual or node.external:
        return "data that lie in another file"
    if node.dtype.kind not in "fiub":
        return f"{node.dtype} instead of numbers"
    return f"an array of {node.shape}" if any(length > LONGEST for length in node.shape or ()) else None


def _faults(config: object, axes: set[int]) -> Iterator[str]:
    """What is wrong with a network's configuration, whose weights have these `axes`."""
    enlarged = 1
    for layer in _objects(config):
        name, module = layer["class_name"], layer.get("module")
        plain = module in PLAIN or (module is None and name == "__keras_tensor__")
        if not (plain or (module == "keras.layers" and name in LAYERS) or name == "Functional"):
            yield f"{_described(layer)}, which is none of the layers that it may have"
        yield from _size_faults(layer, axes)
        enlarged *= _number(layer, "size", 1) if name == "UpSampling2D" else 1
    if enlarged > ENLARGED:
        yield f"maps enlarged {enlarged} times, over {ENLARGED}"


def _objects(config: object) -> Iterator[dict]:
    """Every layer, initialiser and so on in a configuration."""
    if isinstance(config, dict) and "class_name" in config:
        yield config
    if isinstance(config, dict | list):
        for entry in config.values() if isinstance(config, dict) else config:
            yield from _objects(entry)


def _number(config: dict, key: str, default: int) -> int:
    """The largest number in a layer's setting, or `default` where there is none."""
    settings = config.get("config")
    numbers = np.ravel(settings.get(key, ())) if isinstance(settings, dict) else np.zeros(0)
    return int(numbers.max()) if numbers.size and numbers.dtype.kind in "iuf" else default


def _described(config: dict) -> str:
    settings, kind = config.get("config"), f"{config.get('module')}.{config['class_name']}"
    return f"{settings['name']}, a {kind}" if isinstance(settings, dict) and "name" in settings else kind


def _size_faults(config: dict, axes: set[int]) -> Iterator[str]:
    settings = config.get("config")
    if config.get("module") != "keras.layers" or not isinstance(settings, dict):
        return
    for key in SIZES:
        if key in settings and not set(np.atleast_1d(settings[key]).tolist()) <= axes:
            yield f"{config['class_name']} with {key} {settings[key]}, of which there are no weights"
    if (padding := _number(config, "padding", 0)) > PADDED:
        yield f"{config['class_name']} with a padding of {padding}, over {PADDED}"
