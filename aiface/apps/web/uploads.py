"""Files that strangers send: each client's in a place of its own, and gone afterwards."""

import shutil
import tempfile
import time
from pathlib import Path
from threading import Lock

FORGOTTEN = 1800.0  # seconds after which a file that nobody came to judge is deleted


class Uploads:
    """Up to `places` clients' files, one for each client, in folders of their own below `folder`.

    Two clients who send the same file have a copy each, so that either can be deleted when it was judged.
    """

    def __init__(self, folder: str | Path, places: int):
        self._folder, self._places = Path(folder), places
        self._kept: dict[str, tuple[Path, float]] = {}
        self._lock = Lock()

    def claim(self, client: str, path: str | Path) -> bool:
        """Take a copy of a file for a client, in place of their last one; False if all places are taken."""
        with self._lock:
            self._drop(client)
            for other, (_, since) in list(self._kept.items()):
                if time.monotonic() - since > FORGOTTEN:
                    self._drop(other)
            if len(self._kept) >= self._places:
                return False
            own = Path(tempfile.mkdtemp(prefix="aiface-", dir=self._folder), Path(path).name)
            self._kept[client] = own, time.monotonic()
            shutil.copyfile(path, own)
            return True

    def of(self, client: str) -> Path | None:
        """The client's file, or None if there is none (any more)."""
        with self._lock:
            return self._kept.get(client, (None,))[0]

    def release(self, client: str, path: Path | None = None) -> None:
        """Delete the client's file; with `path`, only if that is still the one."""
        with self._lock:
            if path is None or self._kept.get(client, (None,))[0] == path:
                self._drop(client)

    def _drop(self, client: str) -> None:
        if client in self._kept:
            shutil.rmtree(self._kept.pop(client)[0].parent, ignore_errors=True)
