"""`python -m benchmarks.quality.rebuild CROPS OUT`: real crops put through small autoencoders, as twins to train with.

"Aligned Datasets Improve Detection of Latent Diffusion-Generated Images" (Rajan et al. 2025): what generators share is
the decoder that draws the picture, and a reconstruction of a real photo carries the decoder's traces alone, since all
else is the photo's. Here a dozen decoders of random design are trained on real crops of the sets that every fold trains
on; no generator's weights are needed. The reconstructions are crops as `python -m aiface prepare` stores them, with the
path and hash of their originals, labelled AI, their design as source. Interrupted, it goes on from the last design.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import FIELDS, CropSet, compress
from aiface.data.groups import sets
from aiface.faces.crop import CROP_SIZE, CROP_VERSION
from aiface.io.files import atomic_path, write_csv
from aiface.labels import AI, NAMES, REAL
from aiface.models.keras_import import keras
from aiface.models.openvino_runtime import convert, unpack
from aiface.training.run_folder import load_arrays, save_arrays

WINDOW = 64  # pixels that are learnt from
BATCH = 16
PLAIN = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
UPSAMPLINGS = ("nearest", "transposed", "shuffled")


@dataclass(frozen=True)
class Design:
    """An autoencoder: `latent` channels at every `stride`-th pixel, so many `width` channels at full size."""

    seed: int
    stride: int
    latent: int
    width: int
    kernel: int
    upsampling: str
    activation: str
    norm: bool

    @property
    def name(self) -> str:
        """Such as `ae03-8x12-shuffled`."""
        return f"ae{self.seed:02}-{self.stride}x{self.latent}-{self.upsampling}"


def design(seed: int) -> Design:
    """The design of a seed: upsamplings and strides take turns, the rest is drawn."""
    rng = np.random.default_rng((seed, 1))
    stride = (8, 4, 8, 16)[seed % 4]
    latent = int(rng.integers(*{4: (3, 6), 8: (8, 20), 16: (24, 49)}[stride]))
    return Design(
        seed, stride, latent, int(rng.choice((12, 16))), int(rng.choice((3, 3, 5))), UPSAMPLINGS[seed % 3],
        str(rng.choice(("relu", "silu", "leaky_relu"))), bool(rng.random() < 0.4),
    )  # fmt: skip


def build(of: Design, size: int) -> keras.Model:
    """The network: float32 `(n, size, size, 3)` from -1 to 1 in and out."""
    image = x = keras.Input((size, size, 3))
    widths = [of.width * 2 ** min(level, 2) for level in range(1, int(np.log2(of.stride)) + 1)]
    for width in widths:
        x = _block(of, keras.layers.Conv2D(width, 4, 2, "same")(x), width)
    x = keras.layers.Conv2D(of.latent, 3, padding="same")(x)
    x = _block(of, x, widths[-1])
    for width in [*widths[-2::-1], of.width]:
        x = _block(of, _upsampled(of, x, width), width)
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x), name=of.name)


def _block(of: Design, x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    if of.norm and width % 4 == 0 and x.shape[-1] == width:
        x = keras.layers.GroupNormalization(4)(x)
    x = keras.layers.Activation(of.activation)(x)
    return keras.layers.Conv2D(
        width, of.kernel if width > 2 * of.width else 3, padding="same", activation=of.activation
    )(x)


def _upsampled(of: Design, x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    if of.upsampling == "transposed":
        return keras.layers.Conv2DTranspose(width, 3, 2, "same")(x)  # 3 by 2: the uneven overlap that draws chequers
    if of.upsampling == "nearest":
        return keras.layers.Conv2D(width, 3, padding="same")(keras.layers.UpSampling2D()(x))
    x = keras.layers.Conv2D(4 * width, 3, padding="same")(x)
    side = x.shape[1]
    x = keras.layers.Reshape((side, side, 2, 2, width))(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5))(x)
    return keras.layers.Reshape((2 * side, 2 * side, width))(x)


def loss(image: keras.KerasTensor, rebuilt: keras.KerasTensor) -> keras.KerasTensor:
    """L1 of pixels and, so that it doesn't come out soft, of differences between neighbours. `(n,)`."""
    missed = image - rebuilt
    across, down = missed[:, :, 1:] - missed[:, :, :-1], missed[:, 1:] - missed[:, :-1]
    return sum(keras.ops.mean(keras.ops.abs(part), axis=(1, 2, 3)) for part in (missed, across, down))


def windows(crops: CropSet, steps: int, seed: int) -> Iterator[np.ndarray]:
    """Batches of native windows, float32 `(BATCH, WINDOW, WINDOW, 3)` from -1 to 1."""
    rng = np.random.default_rng((seed, 2))
    for _ in range(steps):
        drawn = []
        for index in rng.integers(len(crops), size=BATCH):
            top, left = rng.integers(0, CROP_SIZE - WINDOW + 1, 2)
            drawn.append(crops[index][top : top + WINDOW, left : left + WINDOW])
        yield np.stack(drawn).astype(np.float32) / 127.5 - 1


def trained(of: Design, crops: CropSet, steps: int, path: Path) -> keras.Model:
    """A design trained so many steps, for whole crops; kept in the file `path`."""
    whole = build(of, CROP_SIZE)
    if path.exists():
        whole.set_weights(load_arrays(path))
        return whole
    keras.utils.set_random_seed(of.seed)
    network = build(of, WINDOW)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-3, warmup_steps=50)
    network.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss)
    found = [network.train_on_batch(batch, batch) for batch in windows(crops, steps, of.seed)]
    print(f"{of.name}: {asdict(of)}, loss {np.mean(found[:20]):.3f} to {np.mean(found[-50:]):.3f}", flush=True)
    whole.set_weights(network.get_weights())
    path.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(path, whole.get_weights())
    return whole


def store(network: keras.Model, crops: CropSet, table: Path) -> None:
    """One shard of reconstructions, made by OpenVINO."""
    import openvino

    compiled, rows = openvino.compile_model(unpack(convert(network)), "CPU", PLAIN), []
    with atomic_path(table.with_suffix(".bin")) as path, open(path, "wb") as file:
        for i, row in enumerate(crops.rows):
            found = compiled(crops[i][None].astype(np.float32) / 127.5 - 1)[0][0]
            data = compress(np.clip(np.rint((found + 1) * 127.5), 0, 255).astype(np.uint8))
            rows.append({"path": row.path, "label": NAMES[AI], "split": row.split, "source": network.name,
                         "sha256": row.sha256, "offset": file.tell(), "size": len(data), "crop": CROP_VERSION,
                         "left_out": ""})  # fmt: skip
            file.write(data)
    write_csv(table, rows, FIELDS)


def of_design(crops: CropSet, number: int, designs: int, every: int = 1) -> CropSet:
    """The real crops outside test splits that a design rebuilds: they fall to designs by turns, one in `every`."""
    real = np.flatnonzero((crops.labels == REAL) & (crops.splits != "test"))
    return crops.select(np.isin(np.arange(len(crops)), real[number :: designs * every]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and store what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("out", type=Path)
    parser.add_argument("--designs", default=12, type=int)
    parser.add_argument("--steps", default=600, type=int, help=f"batches of {BATCH} windows of {WINDOW} px, each")
    parser.add_argument("--every", default=1, type=int, help="rebuild one in so many real crops")
    parser.add_argument("--learn-from", nargs="+", default=("deepfake", "faces140k", "wild"))
    options = parser.parse_args(arguments)
    crops = CropSet(options.crops)
    known = crops.select((crops.labels == REAL) & (crops.splits == "train") & np.isin(sets(crops), options.learn_from))
    for number in range(options.designs):
        if not (table := options.out / f"crops-{number:05}.csv").exists():
            network = trained(design(number), known, options.steps, options.out / f"{design(number).name}.npz")
            store(network, of_design(crops, number, options.designs, options.every), table)
            keras.backend.clear_session()


if __name__ == "__main__":
    main()
