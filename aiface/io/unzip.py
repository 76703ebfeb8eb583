"""Zip files from elsewhere: looked through before anything is taken out, so that nothing lands outside or fills a disk.

    python -m aiface.io.unzip ZIP FOLDER

unpacks one, as `fetch.sh` does with a data set.
"""

import stat
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from aiface.errors import AifaceError, DataError

MOST_ENTRIES = 500_000
MOST_BYTES = 40 << 30  # unpacked: ten times the largest data set that this package knows
RATIO = 200  # a part that shrinks by more is a bomb; weights and text don't
SMALL = 1 << 20  # bytes: below, it is no matter
UNIX, UNIX_TIMES = 0x000D, 12  # an extra field, and its bytes before the name of what is linked to


def check(archive: zipfile.ZipFile, name: str | Path, most_bytes: int = MOST_BYTES) -> None:
    """Raise `DataError`, saying which part is why, unless an archive can be unpacked without harm.

    Each part needs a place of its own below the folder, also where case makes no difference; links, secrets and bombs
    are refused. `name`: what to call it.
    """
    parts = archive.infolist()
    if len(parts) > MOST_ENTRIES:
        raise _refused(name, f"at most {MOST_ENTRIES} parts", f"{len(parts)}")
    seen: dict[str, str] = {}
    for part in parts:
        if fault := _fault(part):
            raise _refused(name, "plain files and folders", f"{part.filename[:100]!r}: {fault}")
        place = unicodedata.normalize("NFC", part.filename.rstrip("/")).casefold()
        if place in seen:
            raise _refused(name, "one part for each place", f"{seen[place][:100]!r} and {part.filename[:100]!r}")
        seen[place] = part.filename
    files = {place for place, filename in seen.items() if not filename.endswith("/")}
    if below := next((place for place in seen if files & _parents(place)), None):
        raise _refused(name, "one part for each place", f"{seen[below][:100]!r} below a file")
    if (total := sum(part.file_size for part in parts)) > most_bytes:
        raise _refused(name, f"at most {most_bytes} bytes unpacked", f"{total}")


def _fault(part: zipfile.ZipInfo) -> str | None:
    path, kind = PurePosixPath(part.filename), stat.S_IFMT(part.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return "a path that leads outside"
    if "\\" in part.orig_filename or ":" in path.parts[0] or "\0" in part.orig_filename:
        return "a path that other systems read in another way"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or _is_hard_link(part.extra):
        return "a link or a device"
    if part.flag_bits & 1:
        return "encrypted"
    if part.file_size > max(SMALL, RATIO * part.compress_size):
        return f"a bomb of {part.file_size} bytes in {part.compress_size}"
    return None


def _is_hard_link(extra: bytes) -> bool:
    """Whether a part's extra field names a file that it is to be a link to (PKWARE's APPNOTE.TXT, 4.5.7)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == UNIX and length > UNIX_TIMES:
            return True
        extra = extra[4 + length :]
    return False


def _parents(place: str) -> set[str]:
    return {str(parent) for parent in PurePosixPath(place).parents}


def _refused(name: str | Path, expected: str, found: str) -> DataError:
    return DataError(f"{name}: expected an archive of {expected}, found {found}; get it from another source")


def unpack(path: str | Path, folder: str | Path) -> None:
    """Unpack a zip file into a folder. Raises `DataError` before it has written anything if the archive is no good."""
    try:
        with zipfile.ZipFile(path) as archive:
            check(archive, path)
            archive.extractall(folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise DataError(f"{path}: expected a zip file, found a damaged one ({error}); get it anew") from None


def main(arguments: Iterable[str]) -> str | None:
    """Unpack; returns what went wrong, or None."""
    try:
        unpack(*arguments)
    except (AifaceError, OSError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:3]))
