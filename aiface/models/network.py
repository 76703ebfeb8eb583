"""The network: an ImageNet backbone, one logit, preprocessing inside, all in one flat functional graph.

Flat, because Grad-CAM on nested models breaks after a reload; preprocessing inside, because a forgotten or doubled
one is the commonest way to ruin a detector. Input is RGB uint8, output the logit of P(AI) in float32.
"""

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import sha256
from aiface.models.keras_import import keras
from aiface.models.vetting import network_fault, vet_weights
from aiface.paths import WEIGHTS

FROM_SCRATCH = "from-scratch"
# Of MobileNetV2, whose maps have cells of 16, 16 and 32 pixels there
LEVELS = ("block_6_project", "block_10_project", "block_13_project")
GRID = 8  # cells along a side of the maps that are pooled
HASH_MARK = "#sha256="  # between a file's name and its hash, as in pip's addresses


@dataclass(frozen=True)
class Backbone:
    """How to build an ImageNet network and normalise for it: `(x / 255 - mean) / std` with RGB `mean`, `std`."""

    build: Callable[..., keras.Model]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    imagenet_file: str
    how_to_get: str


BACKBONES = {
    "densenet121": Backbone(
        keras.applications.DenseNet121,
        (0.485, 0.456, 0.406),  # keras.applications.imagenet_utils, mode "torch"
        (0.229, 0.224, 0.225),
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "./fetch.sh weights",
    ),
    "mobilenet_v2": Backbone(
        keras.applications.MobileNetV2,
        (0.5, 0.5, 0.5),  # mode "tf": -1 to 1
        (0.5, 0.5, 0.5),
        "mobilenet_v2_1.0_224_imagenet_dequantized_notop.weights.h5",
        "./fetch.sh --from MIRROR weights, or name Keras's own file",
    ),
}


def build(backbone: str, size: int = CROP_SIZE, dropout: float = 0.2, policy: str = "float32") -> keras.Model:
    """A detector with random weights: uint8 `(n, size, size, 3)` RGB in, float32 `(n, 1)` logit of P(AI) out.

    `policy` is a Keras dtype policy such as "mixed_bfloat16"; preprocessing and logit are float32 under any.
    Raises `ModelError` for an unknown `backbone`, and for one that, trained and saved, could not be loaded again.
    """
    kind = _backbone(backbone)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = _graph(backbone, kind, size, dropout)
    finally:
        keras.config.set_dtype_policy(before)
    axes = {length for weight in model.weights for length in weight.shape}
    if fault := network_fault(json.loads(model.to_json()), axes):
        raise ModelError(
            f"{backbone}: expected a backbone whose network can be loaded again, found {fault}; "
            "take another, or see that the layer can do no harm and add it to LAYERS in aiface/models/vetting.py"
        )
    return model


def _graph(name: str, kind: Backbone, size: int, dropout: float) -> keras.Model:
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, dtype="float32", name="to_unit")(image)
    variance = [value**2 for value in kind.std]
    x = keras.layers.Normalization(mean=list(kind.mean), variance=variance, dtype="float32", name="normalise")(x)
    features = kind.build(include_top=False, weights=None, input_tensor=x).output
    x = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logit = keras.layers.Dense(1, dtype="float32", name="logit")(x)
    return keras.Model(image, logit, name=name)


def read_levels(
    towers: Mapping[str, tuple[keras.Model, int]], usual: np.ndarray | None = None, levels: Sequence[str] = LEVELS
) -> keras.Model:
    """What networks see early on, as one flat graph: crops as `build` has it in, float32 `(n, channels)` out.

    towers: networks of `build`'s graph, by a name for each, with the side of the crop's middle that each sees, enlarged
    to the whole's size: CROP_SIZE, or half of it, whose pixels a network's first strides then don't pass over. levels:
    layers of theirs whose maps are read, each channel by its mean over places, and by the mean of what lies above its
    usual value, which tells how it varies. usual: the output of such a graph, its mean over many crops; without it 0 is
    what is usual. Raises `ModelError` where that is of other networks.
    """
    total = 2 * sum(network.get_layer(level).output.shape[-1] for network, _ in towers.values() for level in levels)
    usual = np.zeros(total, np.float32) if usual is None else usual
    if len(usual) != total:
        raise ModelError(f"expected what is usual of {total} channels, found {len(usual)}; make those features anew")
    image = keras.Input((CROP_SIZE, CROP_SIZE, 3), dtype="uint8", name="image")
    views = {side: _middle(image, side) for _, side in towers.values()}
    cells, place = [], 0
    for name, (network, side) in towers.items():
        for level, maps in zip(levels, _tower(network, image, views[side], name, levels), strict=True):
            channels = maps.shape[-1]
            mean = usual[place : place + channels]
            cells.append(_cells(maps, f"{name}_{level}", mean, GRID * side // CROP_SIZE))
            place += 2 * channels
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Concatenate(name="levels")(cells))
    return keras.Model(image, pooled, name="levels")


def _middle(image: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """The middle of an image, enlarged to its size."""
    if side == CROP_SIZE:
        return image
    middle = keras.layers.Cropping2D((CROP_SIZE - side) // 2, name=f"middle_{side}")(image)
    middle = keras.layers.Rescaling(1.0, dtype="float32", name=f"middle_{side}_float")(middle)
    enlarged = keras.layers.UpSampling2D(CROP_SIZE // side, interpolation="bilinear", name=f"middle_{side}_enlarged")
    return enlarged(middle)


def _tower(
    network: keras.Model, image: keras.KerasTensor, view: keras.KerasTensor, name: str, levels: Sequence[str]
) -> list[keras.KerasTensor]:
    """A network's maps at some levels, of a `view` of the graph's `image`: its layers copied under other names."""

    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"name": f"{name}_{layer.name}"})

    def called(layer: keras.layers.Layer, first: object, *more: object, **options: object) -> object:
        return layer(view if first is image else first, *more, **options)

    part = keras.Model(network.input, [network.get_layer(level).output for level in levels])
    copy = keras.models.clone_model(part, input_tensors=image, call_function=called, clone_function=renamed)
    copy.set_weights(part.get_weights())
    return copy.outputs


def _cells(maps: keras.KerasTensor, name: str, mean: np.ndarray, along: int) -> keras.KerasTensor:
    """Maps `(n, s, s, c)` as `(n, 8, 8, 2c)`: less their `mean`, and what of that is above 0.

    They are `along` cells wide, in the middle of the 8, so that each lies where it was seen; means over all stay so.
    """
    shift = keras.layers.Normalization(mean=mean.tolist(), variance=[1.0] * len(mean), name=f"{name}_shifted")
    shifted = shift(maps)
    both = keras.layers.Concatenate(name=f"{name}_both")([shifted, keras.layers.ReLU(name=f"{name}_above")(shifted)])
    cells = keras.layers.AveragePooling2D(maps.shape[1] // along, name=f"{name}_cells")(both)
    if along == GRID:
        return cells
    cells = keras.layers.ZeroPadding2D((GRID - along) // 2, name=f"{name}_placed")(cells)
    return keras.layers.Rescaling((GRID / along) ** 2, name=f"{name}_weighed")(cells)


def with_head(seen: keras.Model, head: Sequence[np.ndarray], name: str) -> keras.Model:
    """A detector of what `read_levels` sees and one hidden layer. head: kernel and bias of that, and of the logit."""
    (_, hidden), *_ = (array.shape for array in head)
    x = keras.layers.Dense(hidden, "relu", dtype="float32", name="hidden")(seen.output)
    model = keras.Model(seen.input, keras.layers.Dense(1, dtype="float32", name="logit")(x), name=name)
    model.get_layer("hidden").set_weights(head[:2])
    model.get_layer("logit").set_weights(head[2:])
    return model


def _backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ModelError(f"expected a backbone among {', '.join(BACKBONES)}, found {name!r}")
    return BACKBONES[name]


def initialise(model: keras.Model, init: str | Path) -> None:
    """Give the backbone of `model` its first weights: a file in the layout of Keras's ImageNet ones.

    `init` is "imagenet" (the file in `weights/`), a path with the SHA-256 that its maker gives, as
    `file.h5#sha256=...` (so that no file is taken for another), or "from-scratch" (random): never random by accident.
    Raises `ModelError` if the file is missing, of another hash or none, or holds another network.
    """
    if str(init) == FROM_SCRATCH:
        return
    kind = _backbone(model.name)
    name, marked, expected = str(init).partition(HASH_MARK)
    path = WEIGHTS / kind.imagenet_file if name == "imagenet" else Path(name)
    if not path.is_file():
        raise ModelError(
            f"{path}: expected ImageNet weights for {model.name}, found no file; run {kind.how_to_get}, "
            f"or choose a random start with {FROM_SCRATCH!r}"
        )
    if (marked or name != "imagenet") and (found := sha256(path)) != expected.lower():
        raise ModelError(
            f"{path}: expected weights of the SHA-256 {expected or '(none given)'}, found {found}; if that is what the "
            f"file's maker gives, write {path}{HASH_MARK}{found}"
        )
    bare = kind.build(include_top=False, weights=None, input_shape=model.input_shape[1:])
    try:
        vet_weights(path, path)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns when a file fits in part
            bare.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning, ModelError) as error:
        raise ModelError(f"{path}: expected weights of {model.name} without top, found others ({error})") from None
    for layer in bare.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def set_trainable(model: keras.Model, backbone: bool, batch_norm: bool = False, first: str = "") -> None:
    """Choose what learns: the head always, the `backbone` or not, its batch normalisations or not.

    Frozen batch normalisations keep the statistics that the ImageNet weights were made with, which small batches
    would falsify; a random start needs them to learn. Layers before the one named `first` don't learn either.
    """
    head = {"pool", "dropout", "logit"}
    names = [layer.name for layer in model.layers]
    start = names.index(first) if first else 0
    for place, layer in enumerate(model.layers):
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in head or (backbone and place >= start and (batch_norm or not norm))


def predict_logits(model: keras.Model, batches: Iterable[np.ndarray]) -> np.ndarray:
    """Logits float32 `(n,)` of uint8 batches `(<= b, size, size, 3)`.

    The last, shorter batch is padded to the first one's length: every new shape would compile the network anew.
    """
    found, length = [], 0
    for batch in batches:
        length = length or len(batch)
        padded = np.concatenate((batch, np.zeros((length - len(batch), *batch.shape[1:]), np.uint8)))
        found.append(np.asarray(model.predict_on_batch(padded), np.float32)[: len(batch), 0])
    return np.concatenate(found) if found else np.zeros(0, np.float32)
