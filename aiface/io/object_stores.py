"""What lies in object stores, by addresses such as `s3://bucket/folder`, through fsspec."""

from collections.abc import Iterator
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiface.errors import DataError
from aiface.io import sources
from aiface.io.addresses import local
from aiface.io.media_kinds import NEITHER, is_image, is_video

STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "hdfs", "file", "memory"}
LARGEST = 32 << 30  # bytes of an object: about a day of video
PIECE = 4 << 20  # bytes read at once


def is_store(name: str | Path) -> bool:
    """Whether a name is an address in a store; what FFmpeg reads itself, such as `http://`, is none."""
    scheme, colon, _ = str(local(name)).partition("://")
    return bool(colon) and scheme.lower() in STORES


def search(name: str) -> sources.Search:
    """As `sources.search`, but in a store too, where a folder is what begins with it.

    Raises `DataError` for a store that can't be listed.
    """
    if not is_store(name):  # such as file://, whose percent-encoding fsspec would take for letters
        return sources.search(name)
    store, path = _open(name)
    try:
        found = store.glob(path, detail=True) if has_magic(path) else store.find(path, detail=True)
        files = sorted(at for at, info in found.items() if info["type"] == "file")
        if files in ([], [path]):
            return sources.Search([name])
        named = {at: store.unstrip_protocol(at) for at in files}
    except Exception as error:  # each store has errors of its own
        raise DataError(f"{name}: expected a store that can be listed, found: {error}; check the rights") from error
    wanted = {at for at in files if is_image(Path(at)) or is_video(Path(at))}
    others = [(named[at], NEITHER) for at in files if at not in wanted]
    return sources.Search([named[at] for at in files if at in wanted], others)


@contextmanager
def fetched(name: str, most: int = LARGEST) -> Iterator[Path]:
    """A copy on this machine of what lies at an address, for as long as it is needed.

    Raises `DataError` for what can't be read, or has more than so many bytes.
    """
    with TemporaryDirectory(prefix="aiface-") as folder:
        copy = Path(folder, "input" + Path(name).suffix)
        store, path = _open(name)
        try:
            with store.open(path, "rb") as source, copy.open("wb") as target:
                while (piece := source.read(PIECE)) and target.tell() <= most:
                    target.write(piece)
        except Exception as error:  # each store has errors of its own
            raise DataError(f"{name}: expected an object that can be read, found: {error!r}; try again") from error
        if copy.stat().st_size > most:
            raise DataError(f"{name}: expected at most {most} bytes, found more; cut it first")
        yield copy


def _open(name: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(name)
    except Exception as error:  # ImportError of its driver, ValueError, or the driver's own
        raise DataError(
            f"{name}: expected a store that fsspec can open, found: {error}; "
            "install aiface[ray] and the store's driver (s3fs, gcsfs, adlfs)"
        ) from error
