"""Faces found and cropped once, kept in shards that travel.

A shard is two files: `crops-00000.bin`, losslessly compressed crops one after the other, at most 60 MB, and
`crops-00000.csv`, one row per original: what became of it, where its crop lies, its label, split, source and hash.
The CSV is written last, so a shard without one was interrupted and is made again.
"""

import csv
import hashlib
import io
import itertools
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from aiface.data.folders import Item, scan_all, with_validation
from aiface.errors import DataError
from aiface.faces.crop import CROP_VERSION, crop_face
from aiface.faces.finder import FaceFinder, Finder, load_finder
from aiface.io.files import atomic_path, sha256, shown, write_csv
from aiface.io.images import read_image
from aiface.labels import NAMES

SHARD_BYTES = 60_000_000
THREADS = os.cpu_count() or 1
LARGEST_CROP = 200_000  # bytes: what pure noise takes
FIELDS = ("path", "label", "split", "source", "sha256", "offset", "size", "crop", "left_out")


def prepare(
    items: Sequence[Item],
    out: str | Path,
    new_finder: Callable[[], FaceFinder],
    progress: Callable[[Iterable], Iterable] = iter,
    shard_bytes: int = SHARD_BYTES,
) -> "CropSet":
    """Find, align and store the main face of every item in shards below `out`, and open them.

    Items already stored there are skipped, so an interrupted run goes on where it stopped. An item that can't be
    read or shows no face is left out, with its reason in the CSV. `new_finder` makes one finder per thread;
    `progress` wraps the iteration (tqdm, say).
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    todo = _not_done(items, Counter(row["path"] for path in out.glob("crops-*.csv") for row in _read_rows(path)))
    results = _crop_in_threads(todo, new_finder)
    try:
        _write_shards(progress(results), out, shard_bytes)
    finally:
        results.close()
    return CropSet(out)


def _not_done(items: Iterable[Item], done: Counter[str]) -> list[Item]:
    """The items whose names, as `shown`, are not `done`; of several that are shown alike, the first are done first."""
    todo = []
    for item in items:
        if done[name := shown(item.path)]:
            done[name] -= name != str(item.path)
        else:
            todo.append(item)
    return todo


def prepare_folders(
    folders: Iterable[str | Path],
    out: str | Path,
    *,
    valid_share: float = 0.1,
    valid_sources: Sequence[str] = (),
    new_finder: Callable[[], FaceFinder] = load_finder,
    progress: Callable[[Iterable], Iterable] = iter,
) -> "CropSet":
    """`prepare` all labelled pictures of data sets, see `aiface.data.folders`: a validation split is cut where none is.

    Raises `DataError` for a folder that is no data set.
    """
    items = with_validation(scan_all(folders), valid_share, valid_sources)
    return prepare(items, out, new_finder, progress)


def _crop_in_threads(
    items: Sequence[Item], new_finder: Callable[[], FaceFinder], threads: int = THREADS
) -> Generator[tuple[dict, bytes], None, None]:
    finders = [new_finder() for _ in range(threads)]

    def crop_each(numbered: tuple[int, Sequence[Item]]) -> list[tuple[dict, bytes]]:
        lane, batch = numbered
        return [crop_item(item, finders[lane]) for item in batch]

    batches = (items[start : start + 32] for start in range(0, len(items), 32))
    with ThreadPoolExecutor(threads) as pool:
        while lanes := list(enumerate(itertools.islice(batches, threads))):
            for rows in pool.map(crop_each, lanes):
                yield from rows


def crop_item(item: Item, finder: Finder) -> tuple[dict, bytes]:
    """The CSV row of an item and its compressed crop; empty bytes and a reason if it has to be left out."""
    row = {
        "path": str(item.path), "label": NAMES[item.label], "split": item.split, "source": item.source,
        "sha256": "", "offset": 0, "size": 0, "crop": CROP_VERSION, "left_out": "",
    }  # fmt: skip
    try:
        row["sha256"] = sha256(item.path)
        image = read_image(item.path)
    except (DataError, OSError) as error:
        return row | {"left_out": f"unreadable: {error}"}, b""
    faces = finder(image)
    if not faces:
        return row | {"left_out": "no face found"}, b""
    return row, compress(crop_face(image, faces[0]))


def _write_shards(results: Iterable[tuple[dict, bytes]], out: Path, shard_bytes: int) -> None:
    """Fill one shard after the other; when interrupted, close the one at hand first."""
    results = iter(results)
    for number in itertools.count():
        table = out / f"crops-{number:05}.csv"
        if not table.exists() and not _write_shard(results, table, shard_bytes):
            return


def _write_shard(results: Iterator[tuple[dict, bytes]], table: Path, shard_bytes: int) -> bool:
    """Write a shard, if anything is left for it; False when the results have ended."""
    rows, full, interrupt = [], False, None
    with atomic_path(table.with_suffix(".bin")) as path, open(path, "wb") as file:
        try:
            for row, crop in results:
                rows.append(row | {"offset": file.tell(), "size": len(crop)})
                file.write(crop)
                if full := file.tell() > shard_bytes - LARGEST_CROP:
                    break
        except KeyboardInterrupt as error:
            interrupt = error
    if rows:
        write_csv(table, rows, FIELDS)
    else:
        table.with_suffix(".bin").unlink()
    if interrupt:
        raise interrupt
    return full


def compress(crop: np.ndarray) -> bytes:
    """Lossless WebP of an RGB uint8 crop: a lossy format would lay its own traces over the ones we look for."""
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()


def _read_rows(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and set(FIELDS) - set(rows[0]):
        raise DataError(f"{path}: expected the columns {', '.join(FIELDS)}, found {', '.join(rows[0])}; prepare again")
    if others := {row["crop"] for row in rows} - {CROP_VERSION}:
        raise DataError(f"{path}: expected crops {CROP_VERSION}, found {', '.join(others)}; prepare into a new folder")
    return rows


@dataclass(frozen=True)
class _Row:
    path: str
    label: int
    split: str
    source: str
    sha256: str
    file: Path
    offset: int
    size: int


class CropSet:
    """The crops below a folder of shards, read on demand: `len(crops)`, `crops[i]` is RGB uint8 `(256, 256, 3)`.

    `labels` int64 `(n,)`, `splits` and `sources` `(n,)` strings; `left_out` counts reasons. Raises `DataError` if
    the folder holds no shard, or one cut by another version of the crop.
    """

    def __init__(self, folder: str | Path, rows: Sequence[_Row] | None = None, left_out: Counter | None = None):
        self.folder = Path(folder)
        if rows is None:
            rows, left_out = _open_shards(self.folder)
        self.rows = list(rows)
        self.left_out = left_out or Counter()
        self.labels = np.array([row.label for row in self.rows], np.int64)
        self.splits = np.array([row.split for row in self.rows], str)
        self.sources = np.array([row.source for row in self.rows], str)
        self._maps: dict[Path, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        row = self.rows[index]
        data = self._bytes(row.file)[row.offset : row.offset + row.size]
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) == row.size else None
        if image is None:
            raise DataError(
                f"{row.file}: expected {row.size} bytes of a crop at {row.offset}, found {len(data)} or another thing; "
                "delete this shard and its .csv and prepare again"
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def __getstate__(self) -> dict:
        """For another process, which maps the shards itself."""
        return vars(self) | {"_maps": {}}

    def _bytes(self, path: Path) -> np.ndarray:
        """A shard's bytes, mapped into memory at first use; none where the file is missing or empty."""
        if path not in self._maps:
            there = path.is_file() and path.stat().st_size
            self._maps[path] = np.memmap(path, np.uint8, "r") if there else np.zeros(0, np.uint8)
        return self._maps[path]

    def select(self, mask: np.ndarray) -> "CropSet":
        """The crops where a boolean `(n,)` mask is true."""
        kept = [row for row, keep in zip(self.rows, mask, strict=True) if keep]
        return type(self)(self.folder, kept, self.left_out)

    def manifest(self) -> str:
        """SHA-256 over the hashes, labels and splits of all originals, in an order of their own: names a data set."""
        lines = sorted(f"{row.sha256} {row.label} {row.split}" for row in self.rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def split(self, name: str) -> "CropSet":
        """The crops of one split."""
        return self.select(self.splits == name)

    def split_of_both(self, name: str) -> "CropSet":
        """The crops of one split. Raises `DataError` unless it holds both classes."""
        found = self.split(name)
        if len(set(found.labels.tolist())) < 2:
            raise DataError(
                f"{self.folder}: expected both classes in the split {name}, found {len(found)} crops of one"
            )
        return found

    def batches(self, size: int = 64) -> Iterator[np.ndarray]:
        """All crops in order, as uint8 arrays `(<= size, 256, 256, 3)`."""
        for start in range(0, len(self), size):
            yield np.stack([self[i] for i in range(start, min(start + size, len(self)))])


def _open_shards(folder: Path) -> tuple[list[_Row], Counter[str]]:
    tables = sorted(folder.glob("crops-*.csv"))
    if not tables:
        raise DataError(f"{folder}: expected shards of crops, found none; run python -m aiface prepare DATA {folder}")
    rows: list[_Row] = []
    left_out: Counter[str] = Counter()
    for table in tables:
        for row in _read_rows(table):
            if row["left_out"]:
                left_out[row["left_out"].split(":")[0]] += 1
                continue
            rows.append(
                _Row(row["path"], NAMES.index(row["label"]), row["split"], row["source"], row["sha256"],
                     table.with_suffix(".bin"), int(row["offset"]), int(row["size"]))
            )  # fmt: skip
    return rows, left_out
