"""Many clients at once for minutes: the web app answers each file that it took, and tells those whom it turns away."""

import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import cv2

from aiface.apps.web.answer_page import problem
from aiface.apps.web.streams import FULL
from benchmarks.scenes import images, write_clip
from benchmarks.soak.images import damaged
from benchmarks.soak.watch import ROOT
from benchmarks.speed.clocks import NOT_MEASURED, Row

COUNT = 300  # seconds
CLIENTS = 50
MEGABYTES = 4
PATIENCE = 120.0  # seconds for an answer
WELL, REFUSED, UNANSWERED = "answered", "told that all places are taken", "without an answer"
PYTHON = str(app) if (app := ROOT / ".venv-extras" / "bin" / "python").exists() else sys.executable  # with Gradio
TOO_LARGE, LOST = "told that it is too large", "cut off"


class Browser:
    """Speaks to the app at a port as its page does."""

    def __init__(self, port: int):
        self._base = f"http://127.0.0.1:{port}/gradio_api"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=PATIENCE) as answered:
            config = json.load(answered)
        (file,) = (part["id"] for part in config["components"] if part["props"].get("elem_id") == "file")
        (self._claim,) = (call["id"] for call in config["dependencies"] if [file, "upload"] in call["targets"])
        (self._show,) = (call["id"] for call in config["dependencies"] if call["trigger_after"] == self._claim)

    def send(self, client: str, name: str, content: bytes) -> str:
        """Have a file judged; what became of it."""
        try:
            path = self._upload(name, content)
        except urllib.error.HTTPError as error:
            with error:
                return TOO_LARGE if error.code == 413 else f"status {error.code}"
        if problem(FULL) in self._call(self._claim, client, {"path": path, "meta": {"_type": "gradio.FileData"}}):
            return REFUSED
        return WELL if "aiface-" in self._call(self._show, client) else UNANSWERED

    def _upload(self, name: str, content: bytes) -> str:
        head = f'--xx\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--xx--\r\n"
        return self._post("/upload", body, "multipart/form-data; boundary=xx")[0]

    def _post(self, path: str, body: bytes, kind: str = "application/json"):
        request = urllib.request.Request(self._base + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answered:
            return json.load(answered)

    def _call(self, function: int, client: str, *data: object) -> str:
        """The page that a function of the app gave last; nothing if it ended without one."""
        asked = {"data": data, "fn_index": function, "session_hash": client}
        self._post("/queue/join", json.dumps(asked).encode())
        with urllib.request.urlopen(f"{self._base}/queue/data?session_hash={client}", timeout=PATIENCE) as events:
            told = [json.loads(line[6:]) for line in events if line.startswith(b"data: ")]
        ended = [message for message in told if message["msg"] == "process_completed"]
        return "".join(map(str, ended[-1]["output"]["data"])) if ended and ended[-1]["success"] else ""


def files(folder: Path) -> list[tuple[str, bytes]]:
    """What clients send: a portrait, a clip, damaged pictures, text under a picture's name, names to trip over."""
    picture = cv2.imencode(".jpg", next(iter(islice(images(), 1)))[..., ::-1])[1].tobytes()
    clip = write_clip(folder / "clip.mp4", 2).read_bytes()
    bad = [(f"damaged {case}.png", damaged(7, case)) for case in range(8)]
    odd = [("<img src=x onerror=alert(1)>.jpg", picture), ("../../up.jpg", picture), ("text.jpg", b"no picture\n" * 99)]
    return [("a.jpg", picture), ("b.mp4", clip), *bad, *odd, ("large.mp4", bytes(MEGABYTES * 2**20 + 1))]


@contextmanager
def app() -> Iterator[tuple[subprocess.Popen, int]]:
    """The web app as `python -m aiface app` starts it, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-m", "aiface", "app", "--port", str(port), "--max-upload", str(MEGABYTES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            if "http://" not in server.stdout.readline():
                raise RuntimeError("the app did not start")
            yield server, port
        finally:
            server.terminate()
            server.wait(60)


def besiege(port: int, seconds: float, clients: int = CLIENTS) -> Counter:
    """So many clients, each sending file after file; how often what came of one."""
    found, lock = Counter(), threading.Lock()
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        choice = files(Path(folder))
    browser, end = Browser(port), time.monotonic() + seconds

    def client(number: int) -> None:
        draw = random.Random(number)
        while time.monotonic() < end:
            try:
                outcome = browser.send(f"client{number}", *draw.choice(choice))
            except (OSError, ValueError, http.client.HTTPException) as error:
                outcome = f"{LOST}: {error!r}"
            with lock:
                found[outcome] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for, of `count` seconds."""
    if sys.executable == PYTHON and not find_spec("gradio"):
        return [Row("the web app under many clients", f"{NOT_MEASURED}: make .venv-extras/done")]
    with app() as (server, port):
        found = besiege(port, count)
        alive = server.poll() is None and _answers(port)
    return rows(found, alive, count)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as page:
            return page.status == 200
    except OSError:
        return False


def rows(found: Mapping[str, int], alive: bool, seconds: float) -> list[Row]:
    """What came of the files, held against the promise."""
    fine = (WELL, REFUSED, TOO_LARGE)
    told = ", ".join(f"{found[name]} {name}" for name in fine)
    others = {name: number for name, number in found.items() if name not in fine}
    what = f"{CLIENTS} clients for {seconds:g} s: files that were neither answered nor refused in words ({told})"
    listed = "; ".join([str(sum(others.values())), *(f"{number} {name}" for name, number in others.items())][:4])
    return [
        Row(what, listed, "0", not others and found[WELL] > 0),
        Row("the app afterwards", "answers" if alive else "is gone", "answers", alive),
    ]
