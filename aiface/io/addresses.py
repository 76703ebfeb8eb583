"""What lies at an address: `file://` is a path of this machine; of `http://` pictures are fetched, with limits."""

import os
import re
import shutil
import string
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit
from urllib.request import Request, url2pathname, urlopen

import aiface
from aiface.errors import DataError
from aiface.io.media_kinds import HEAD, SAMPLE, is_text, readers

LARGEST = 200 << 20  # bytes of a picture
SILENCE = 15.0  # seconds to connect, and for each read
LONGEST = 300.0  # seconds for all of it
PIECE = 1 << 20  # bytes read at once
_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)


def local(name: str | Path) -> str | Path:
    """The path that a `file://` address of this machine stands for, its percent-encoding undone; else the name itself.

    >>> local("FILE:///photos/caf%C3%A9%20(1).jpg") == "/photos/café (1).jpg"
    True
    """
    found = re.fullmatch(r"file://(?:localhost)?(/[^?#]*)(?:[?#].*)?", str(name), re.IGNORECASE | re.DOTALL)
    if not found:
        return name
    return os.fsdecode(unquote_to_bytes(found[1])) if os.name == "posix" else url2pathname(found[1])


def is_web(name: object) -> bool:
    """Whether a name is an `http://` or `https://` address."""
    return re.match("https?://", str(name), re.IGNORECASE) is not None


def without_password(address: str) -> str:
    """An address as it may be shown: a camera's may hold its password."""
    return re.sub(r"//[^/@]*@", "//", address)


def fetch_picture(address: str) -> Path | None:
    """A copy of the picture at an `http://` address, alone in a new folder, which is the caller's to remove.

    None for what is no picture by its first bytes, and for what can't be had: FFmpeg opens clips, and says what is
    wrong. Raises `DataError` for a web page, for a server that falls silent, and for a picture that is too large or
    breaks off.
    """
    shown = without_password(address)
    try:
        with _opened(address) as response:
            start = response.read(SAMPLE)
            if is_text(start) and _PAGE.match(start):
                raise DataError(
                    f"{shown}: expected a picture or a clip, found a web page; give the picture's own address"
                )
            return _saved(start, response, shown) if any(readers(start[:HEAD])) else None
    except TimeoutError:
        raise DataError(
            f"{shown}: expected a picture or a clip, found a server that is silent or too slow; check the address, or "
            "fetch it with a browser and judge the file"
        ) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no address that can be
        if isinstance(getattr(error, "reason", None), TimeoutError):
            raise DataError(f"{shown}: expected a server, found none that answers; check address and network") from None
        return None


@contextmanager
def _opened(address: str) -> Iterator[HTTPResponse]:
    """The answer of the server, with the name and password that an address may hold told to it alone."""
    parts = urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = Request(quote(bare, safe=string.punctuation), headers={"User-Agent": f"aiface/{aiface.__version__}"})
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", "Basic " + b64encode(secret).decode())
    with urlopen(request, timeout=SILENCE) as response:
        yield response


def _saved(start: bytes, response: HTTPResponse, shown: str) -> Path:
    folder = Path(mkdtemp(prefix="aiface-"))
    try:
        with (copy := folder / "picture").open("wb") as file:
            for piece in _pieces(start, response):
                file.write(piece)
                if file.tell() > LARGEST:
                    raise DataError(f"{shown}: expected a picture of at most {LARGEST >> 20} MB, found more; shrink it")
        if response.length:
            raise DataError(f"{shown}: expected a whole picture, found one that breaks off on its way; try again")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return copy


def _pieces(piece: bytes, response: HTTPResponse) -> Iterator[bytes]:
    end = time.monotonic() + LONGEST
    while piece:
        yield piece
        piece = response.read1(PIECE)
        if time.monotonic() > end:
            raise TimeoutError
