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
from urllib.error import HTTPError
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit
from urllib.request import Request, url2pathname, urlopen

import aiface
from aiface.errors import DataError
from aiface.io.media_kinds import HEAD, SAMPLE, is_text, readers

LARGEST = 200 << 20  # bytes of a picture
LARGEST_CLIP = 1 << 30  # bytes of a clip that can only be read as a file
SILENCE = 15.0  # seconds to connect, and for each read
LONGEST = 300.0  # seconds for all of it
PIECE = 1 << 20  # bytes read at once
GONE = {401, 404, 407, 410, 451}  # of HTTP: nobody gets more, whoever asks
_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)


def local(name: str | Path) -> str | Path:
    """The path that a `file://` address of this machine stands for, its percent-encoding undone; else the name itself.

    >>> local("FILE:///photos/caf%C3%A9%20(1).jpg") == "/photos/café (1).jpg"
    True
    """
    found = re.fullmatch(r"file:(?://(?:localhost)?)?(/(?!/)[^?#]*)(?:[?#].*)?", str(name), re.IGNORECASE | re.DOTALL)
    if not found:
        return name
    return os.fsdecode(unquote_to_bytes(found[1])) if os.name == "posix" else url2pathname(found[1])


def is_web(name: object) -> bool:
    """Whether a name is an `http://` or `https://` address."""
    return re.match("https?://", str(name), re.IGNORECASE) is not None


def without_password(address: str) -> str:
    """An address as it may be shown: a camera's may hold its password."""
    return re.sub(r"//[^/@]*@", "//", address)


def fetch(address: str) -> Path | None:
    """A copy of the picture at an `http://` address, alone in a new folder, which is the caller's to remove.

    Of a clip, too, whose index lies at its end, on a server that gives files only from their start. None for other
    clips, and for what can't be had: FFmpeg opens them, and says what is wrong. Raises `DataError` for a web page, for
    an address at which there is nothing, for a server that falls silent, and for what is too large or breaks off.
    """
    shown = without_password(address)
    try:
        with _opened(address) as response:
            start = response.read(SAMPLE)
            if is_text(start) and _PAGE.match(start):
                raise DataError(
                    f"{shown}: expected a picture or a clip, found a web page; give the picture's own address"
                )
            if any(readers(start[:HEAD])):
                return _saved(start, response, f"{shown}: expected a picture of at most", LARGEST)
            if is_index_last(start) and response.headers.get("Accept-Ranges", "").lower() != "bytes":
                return _saved(start, response, f"{shown}: its server gives files from their start alone, so expected a "
                              "clip of at most", LARGEST_CLIP)  # fmt: skip
            return None
    except TimeoutError:
        raise DataError(
            f"{shown}: expected a picture or a clip, found a server that is silent or too slow; check the address, or "
            "fetch it with a browser and judge the file"
        ) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no address that can be
        if isinstance(error, HTTPError) and (error.code in GONE or error.code >= 500):
            raise DataError(
                f"{shown}: expected a picture or a clip, found that the server has none for us there ({error.code} "
                f"{error.reason}); check the address, or fetch it with a browser and judge the file"
            ) from None
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


def is_index_last(start: bytes) -> bool:
    """Whether a file that starts so is an MP4 or MOV whose frames lie before the index that tells where each is.

    ISO/IEC 14496-12, 4.2: a box begins with its length and its name.
    """
    at, before = 0, (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin")
    while start[at + 4 : at + 8] in before and (length := int.from_bytes(start[at : at + 4])) >= 8:
        at += length
    return start[at + 4 : at + 8] == b"mdat"


def _saved(start: bytes, response: HTTPResponse, wanted: str, most: int) -> Path:
    folder = Path(mkdtemp(prefix="aiface-"))
    try:
        with (copy := folder / "input").open("wb") as file:
            for piece in _pieces(start, response):
                file.write(piece)
                if file.tell() > most:
                    raise DataError(f"{wanted} {most >> 20} MB, found more; shrink it, or save it and judge the file")
        if response.length:
            raise DataError(f"{wanted} {most >> 20} MB, found one that breaks off on its way; try again")
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
