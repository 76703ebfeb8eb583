"""`python -m benchmarks.quality.rebuild CROPS OUT`: real crops put through autoencoders, as twins to train with.

"Aligned Datasets Improve Detection of Latent Diffusion-Generated Images" (Rajan et al. 2025): what generators share is
the decoder that draws the picture, and a reconstruction of a real photo carries the decoder's traces alone, since all
else is the photo's. Codecs of random design (`benchmarks.quality.codecs`) are fitted on real crops of the sets that
every fold trains on; no generator's weights are needed. The reconstructions are crops as `python -m aiface prepare`
stores them, with the path and hash of their originals, labelled AI, their codec as source. Interrupted, it goes on.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import FIELDS, CropSet, compress
from aiface.data.groups import sets
from aiface.faces.crop import CROP_VERSION
from aiface.io.files import atomic_path, write_csv
from aiface.labels import AI, NAMES, REAL
from benchmarks.quality.codecs import drawn

EXAMPLES = 60  # crops that a codec is fitted on


def store(name: str, codec: Callable[[np.ndarray], np.ndarray], crops: CropSet, table: Path) -> None:
    """One shard of reconstructions."""
    table.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with atomic_path(table.with_suffix(".bin")) as path, open(path, "wb") as file:
        for i, row in enumerate(crops.rows):
            data = compress(codec(crops[i]))
            rows.append({"path": row.path, "label": NAMES[AI], "split": row.split, "source": name,
                         "sha256": row.sha256, "offset": file.tell(), "size": len(data), "crop": CROP_VERSION,
                         "left_out": ""})  # fmt: skip
            file.write(data)
    write_csv(table, rows, FIELDS)


def of_codec(crops: CropSet, number: int, codecs: int, every: int = 1) -> CropSet:
    """The real crops outside test splits that a codec rebuilds: they fall to codecs by turns, one in `every`."""
    real = np.flatnonzero((crops.labels == REAL) & (crops.splits != "test"))
    return crops.select(np.isin(np.arange(len(crops)), real[number :: codecs * every]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the codecs whose reconstructions are missing, and store them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("out", type=Path)
    parser.add_argument("--codecs", default=10, type=int)
    parser.add_argument("--every", default=3, type=int, help="rebuild one in so many real crops")
    parser.add_argument("--learn-from", nargs="+", default=("deepfake", "faces140k", "wild"))
    options = parser.parse_args(arguments)
    crops = CropSet(options.crops)
    known = crops.select((crops.labels == REAL) & (crops.splits == "train") & np.isin(sets(crops), options.learn_from))
    for number in range(options.codecs):
        if (table := options.out / f"crops-{number:05}.csv").exists():
            continue
        chosen = np.random.default_rng((number, 2)).permutation(len(known))[:EXAMPLES]
        name, codec = drawn(number, [known[index] for index in chosen])
        store(name, codec, of_codec(crops, number, options.codecs, options.every), table)
        print(f"{name}: stored in {table.with_suffix('.bin')}", flush=True)


if __name__ == "__main__":
    main()
