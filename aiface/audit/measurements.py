"""Files to columns of numbers: every picture is read once, some numbers of it are kept, and none of its pixels."""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np

from aiface.audit.file_traits import METADATA, NUMBERS, file_traits
from aiface.audit.pixel_statistics import STATISTICS, perceptual_hash, statistics
from aiface.data.folders import Item
from aiface.errors import DataError
from aiface.io.files import check_opens, sha256
from aiface.io.images import open_image, read_image

MEANING = METADATA | STATISTICS
THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Measurements:
    """Columns over n readable pictures, in the order of `items`.

    `metadata` and `statistics` map each name of METADATA and STATISTICS to an `(n,)` array, strings where it is a
    category, else float32 with NaN where it has no meaning. `hashes` `(n,)` uint64 and `thumbnails` `(n, 256)` uint8
    are fingerprints; `tables` holds the JPEG quantisation tables by their name; `unreadable` items with the reason.
    """

    items: list[Item]
    sha256: list[str]
    metadata: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    hashes: np.ndarray
    thumbnails: np.ndarray
    tables: dict[str, list[list[int]]]
    unreadable: list[tuple[Item, str]]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Metadata and statistics together."""
        return self.metadata | self.statistics

    @property
    def labels(self) -> np.ndarray:
        """REAL or AI, int64 `(n,)`."""
        return np.array([item.label for item in self.items], np.int64)

    @property
    def splits(self) -> np.ndarray:
        """`(n,)` strings, "" where there is no split."""
        return np.array([item.split for item in self.items], str)

    @property
    def sources(self) -> np.ndarray:
        """`(n,)` strings."""
        return np.array([item.source for item in self.items], str)


def measure(
    items: Sequence[Item], progress: Callable[[Iterable], Iterable] = iter, threads: int = THREADS
) -> Measurements:
    """Read and measure every item once, in `threads`. What can't be read is listed with its reason, never raised.

    `progress` wraps the iteration over pictures (tqdm, say). Memory grows by about 2 kB a picture.
    """
    rows, unreadable = [], []
    tables: dict[str, list[list[int]]] = {}
    with closing(_in_threads(items, threads)) as results:
        for item, row in progress(results):
            if isinstance(row, str):
                unreadable.append((item, row))
            else:
                tables.setdefault(row[1]["jpeg_tables"], row[-1])
                rows.append((item, *row[:-1]))
    tables.pop("", None)
    return _columns(rows, tables, unreadable)


def _in_threads(items: Sequence[Item], threads: int) -> Generator[tuple[Item, tuple | str], None, None]:
    batches = (items[start : start + 32 * threads] for start in range(0, len(items), 32 * threads))
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            yield from zip(batch, pool.map(_measure_file, batch), strict=True)


def _measure_file(item: Item) -> tuple | str:
    """SHA-256, metadata, statistics, hash, thumbnail and JPEG tables of a file, or why it can't be read."""
    try:
        check_opens(item.path)
        image = read_image(item.path)
        with open_image(item.path) as header:
            metadata, tables = file_traits(header, item.path.stat().st_size)
        return sha256(item.path), metadata, statistics(image), *perceptual_hash(image), tables
    except (DataError, OSError, cv2.error) as error:
        return str(error)


def _columns(rows: list[tuple], tables: dict, unreadable: list) -> Measurements:
    items, hashes, metadata, numbers, digests, thumbnails = zip(*rows, strict=True) if rows else [()] * 6
    values = np.array(numbers, np.float32).reshape(len(rows), len(STATISTICS))
    return Measurements(
        list(items),
        list(hashes),
        {name: np.array([row[name] for row in metadata], np.float32 if name in NUMBERS else str) for name in METADATA},
        dict(zip(STATISTICS, values.T.copy(), strict=True)),
        np.array(digests, np.uint64),
        np.array(thumbnails, np.uint8).reshape(len(rows), 256),
        tables,
        unreadable,
    )
