"""The web app without a browser: what it says, what it takes from strangers, and that it keeps clients apart."""

import argparse
import builtins
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from unittest import mock

import pytest
import scene
from clips import seconds, text, write_clip
from pages import Page
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scene import BETWEEN as MIXED
from scene import BLUE, HEIGHT, RED, WIDTH, picture
from served import ROOT, free_port, served

from aiface.__main__ import main
from aiface.analysis import verdict
from aiface.analysis.result import Analysis
from aiface.apps.cli import app
from aiface.apps.web import answer_page, streams
from aiface.apps.web.streams import GONE, Live, Shared, judge
from aiface.apps.web.uploads import FORGOTTEN, Uploads
from aiface.io.files import sha256
from aiface.labels import Answer
from aiface.provenance.claims import ABSENCE, Credentials, Provenance
from aiface.reports import figures, wording
from aiface.reports.report import Report
from aiface.reports.wording import NOT_PROOF

EVIL = "<img src=x onerror=alert(1)>.png"
NOTHING_SAID = Provenance({}, Credentials(False, "none found"), ())


def save(path, *people, **options):
    Image.fromarray(picture(*people)).save(path, **options)
    return path


def clip(path, count=20, colour=RED):
    return write_clip(path, seconds(count), lambda _: picture((20, 30, 100, colour)), (WIDTH, HEIGHT))


def pages(path, limit=60.0):
    return [Page(page) for page in judge(path, scene.Finder(), scene.detector(), limit)]


def last(path, limit=60.0):
    return pages(path, limit)[-1]


def headline(page):
    return re.search(r"Looks real|Looks AI-generated|Inconclusive|This could not be judged|Looking", page.text)[0]


# What it says of a file


@pytest.mark.parametrize(
    ("colour", "expected"), [(RED, "Looks AI-generated"), (BLUE, "Looks real"), (MIXED, "Inconclusive")]
)
def test_an_image(tmp_path, colour, expected):
    page = last(save(tmp_path / "a.png", (100, 40, 100, colour)))
    assert headline(page) == expected
    assert NOT_PROOF in page.text
    assert "Person 1: " in page.text
    whole, crop = (attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert whole == "The picture, with a box and the answer at each face"
    assert crop.startswith("Person 1, score ")


def test_a_clip_is_watched_and_then_judged(tmp_path):
    *before, page = pages(clip(tmp_path / "a.mp4"))
    assert headline(page) == "Looks AI-generated"
    watched = [page for page in before if any(tag == "progress" for tag, _ in page.tags)]
    assert watched
    assert all("of about 2 seconds judged" in page.text for page in watched)
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert [alt for alt in alts if alt.startswith("Person 1 at ")] == alts[:-1]
    assert alts[-1].startswith("Chart of each person's score over time")


def test_the_report_is_in_the_page(tmp_path):
    path = save(tmp_path / "a.png", (100, 40, 100, RED))
    (link,) = [attributes for tag, attributes in last(path).tags if tag == "a"]
    assert link["download"] == "aiface-a-png.html"
    with urllib.request.urlopen(link["href"]) as answered:
        report = Page(answered.read().decode())
    assert "sha256 of the file" in report.text
    assert report.sources == ["data:image/jpeg;base64"] * 2


def test_a_file_is_hashed_and_its_timeline_drawn_once(tmp_path):
    hashing = mock.patch("aiface.reports.report.sha256", wraps=sha256)
    drawing = mock.patch("aiface.reports.figures.timeline", wraps=figures.timeline)
    with hashing as hashed, drawing as drawn:
        page = last(clip(tmp_path / "a.mp4"))
    (link,) = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    with urllib.request.urlopen(link) as answered:
        report = Page(answered.read().decode())
    assert not {tag for tag, _ in report.tags} & {"video", "script"}  # it stands alone
    assert (hashed.call_count, drawn.call_count) == (1, 1)


@pytest.mark.parametrize(("reason", "plain"), [*wording.PLAIN.items(), ("another reason <b>", "another reason <b>")])
def test_reasons_are_plain(reason, plain):
    judged = verdict.Verdict(Answer.INCONCLUSIVE, None, reasons=(reason,))
    page = Page(answer_page.result(Report(Analysis(EVIL, verdict=judged), scene.detector(), None, NOTHING_SAID)))
    assert f"Why:{plain}" in page.text.replace("Why: ", "Why:")
    assert "b" not in {tag for tag, _ in page.tags}


def test_every_reason_has_plain_words():
    judged = {verdict.BETWEEN, verdict.UNSTABLE}
    assert set(wording.PLAIN) == judged | {
        verdict.NO_FACE,
        verdict.TOO_SMALL,
        verdict.TOO_BLURRED,
        verdict.COVERED,
        verdict.TOO_FEW,
        verdict.NOT_A_PHOTOGRAPH,
    }


def test_nobody(tmp_path):
    page = last(save(tmp_path / "a.png"))
    assert headline(page) == "Inconclusive"
    assert wording.PLAIN[verdict.NO_FACE] in page.text
    assert "How sure" not in page.text


def test_a_score_that_does_not_count(tmp_path):
    page = last(save(tmp_path / "a.png", (100, 40, 50, RED)))  # too small
    assert headline(page) == "Inconclusive"
    assert "it does not count here" in page.text
    assert "the answer is" not in page.text


def test_origin_stands_beside_the_verdict(tmp_path):
    said, silent = save(tmp_path / "a.png", (100, 40, 100, BLUE)), save(tmp_path / "b.png", (100, 40, 100, BLUE))
    info = PngInfo()
    info.add_text("Software", "Midjourney <script>alert(1)</script>")
    save(said, (100, 40, 100, BLUE), pnginfo=info)
    said, silent = last(said), last(silent)
    assert headline(said) == headline(silent) == "Looks real"
    assert "It says that AI made it" in said.text
    assert "Midjourney <script>" in said.text
    assert "script" not in {tag for tag, _ in said.tags}
    assert ABSENCE in silent.text
    assert "This has no part in the answer above" in said.text
    assert "This has no part in the answer above" in silent.text


def test_names_are_escaped(tmp_path):
    page = last(save(tmp_path / EVIL, (100, 40, 100, RED)))
    assert EVIL in page.text
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in page.tags)
    assert not any("onerror" in attributes for _, attributes in page.tags)


@pytest.mark.parametrize(("count", "limit", "warned"), [(40, 2.0, True), (20, 2.0, False), (40, 3.9, False)])
def test_only_so_much_of_a_clip_is_judged(tmp_path, count, limit, warned):
    page = last(clip(tmp_path / "a.mp4", count), limit)
    assert (f"only the first {limit:g} seconds were judged" in page.text) == warned


def test_warnings_are_shown(tmp_path):
    analysis = Analysis("a.mp4", moving=True, warnings=["read <3> frames"])
    page = Page(answer_page.result(Report(analysis, scene.detector(), None, NOTHING_SAID)))
    assert "Please note: read <3> frames." in page.text


def truncated(path):
    whole = save(path / "whole.png", (100, 40, 100, RED)).read_bytes()
    (path / "cut.png").write_bytes(whole[: len(whole) // 2])
    return path / "cut.png"


def empty(path):
    (path / "empty.mp4").touch()
    return path / "empty.mp4"


def playlist(path):
    """What would show a stranger another clip of this machine, were FFmpeg let."""
    secret = clip(path / "secret.ts")
    (path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n")
    return path / "list.mp4"


def concatenation(path):
    clip(path / "secret.mp4")
    (path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    return path / "list.mp4"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (text, "text.mp4: expected a picture (such as JPEG, PNG, WebP) or a clip"),
        (empty, "empty.mp4: expected a picture"),
        (truncated, "cut.png: expected a whole image, found a damaged one"),
        (playlist, "list.mp4: expected a picture"),
        (concatenation, "list.mp4: expected a picture"),
    ],
)
def test_what_can_not_be_judged_is_said(tmp_path, make, words):
    page = last(make(tmp_path))
    assert headline(page) == "This could not be judged"
    assert words in page.text
    assert str(tmp_path) not in page.text
    assert "Traceback" not in page.text


def test_closing_it_stops_judging(tmp_path):
    finder = scene.Finder()
    judging_it = judge(clip(tmp_path / "a.mp4", 200), finder, scene.detector(), 60.0)
    while "progress" not in next(judging_it):
        pass
    judging_it.close()
    assert 0 < finder.seen < 100  # of 200 frames each second is looked at
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("aiface judge")]


# What it takes from strangers


@pytest.fixture
def uploads(tmp_path):
    (tmp_path / "kept").mkdir()
    return Uploads(tmp_path / "kept", places=2)


def kept(tmp_path):
    return [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_clients_have_copies_of_their_own(tmp_path, uploads):
    sent = text(tmp_path)
    assert uploads.claim("one", sent)
    assert uploads.claim("two", sent)
    assert uploads.of("one") != uploads.of("two")
    uploads.release("one")
    assert uploads.of("one") is None
    assert uploads.of("two").read_bytes() == sent.read_bytes()


def test_places_are_limited_and_come_free(tmp_path, uploads):
    sent = text(tmp_path)
    assert [uploads.claim(client, sent) for client in ("one", "two", "three")] == [True, True, False]
    assert uploads.of("three") is None
    uploads.release("one", uploads.of("one"))
    assert uploads.claim("three", sent)
    assert len(kept(tmp_path)) == 2


def test_another_file_takes_the_place_of_the_last(tmp_path, uploads):
    assert uploads.claim("one", text(tmp_path, "a.mp4"))
    first = uploads.of("one")
    assert uploads.claim("one", text(tmp_path, "b.mp4"))
    assert kept(tmp_path) == ["b.mp4"]
    uploads.release("one", first)  # the first one's judging ends late
    assert kept(tmp_path) == ["b.mp4"]


def test_what_nobody_comes_for_is_deleted(tmp_path, uploads, monkeypatch):
    assert uploads.claim("one", text(tmp_path))
    now = app.sys.modules["time"].monotonic()
    monkeypatch.setattr("aiface.apps.web.uploads.time.monotonic", lambda: now + FORGOTTEN + 1)
    assert uploads.claim("two", text(tmp_path))
    assert uploads.of("one") is None
    assert len(kept(tmp_path)) == 1


# Cameras


def test_a_camera_is_judged_steadily(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("aiface.apps.web.streams.time.monotonic", lambda: now[0])
    live, said = Live(scene.Finder(), scene.detector(), places=1), []
    for colour in (None, *[RED] * 6, *[BLUE] * 12):
        said.append(headline(Page(live.look("one", picture((20, 30, 100, colour)) if colour else picture()))))
        now[0] += 0.2
    assert said[:4] == ["Looking", "Looking", "Looking", "Looks AI-generated"]
    assert said[6] == "Looks AI-generated"
    assert said[-1] == "Looks real"


def test_cameras_know_nothing_of_each_other(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("aiface.apps.web.streams.time.monotonic", lambda: now[0])
    live = Live(Shared(scene.Finder()), scene.detector(), places=2)
    for _ in range(5):
        one, two = (
            live.look(*look) for look in (("one", picture((20, 30, 100, RED))), ("two", picture((20, 30, 100, BLUE))))
        )
        now[0] += 0.2
    assert headline(Page(one)) == "Looks AI-generated"
    assert headline(Page(two)) == "Looks real"
    assert streams.FULL in Page(live.look("three", picture())).text
    now[0] += GONE + 1
    assert headline(Page(live.look("three", picture()))) == "Looking"
    assert headline(Page(live.look("one", picture((20, 30, 100, RED))))) == "Looking"  # a new session


# The command


def options(*arguments):
    parser = argparse.ArgumentParser()
    app.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_defaults_are_safe():
    found = options()
    assert (found.host, found.max_upload) == ("127.0.0.1", 200)
    assert not hasattr(found, "share")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-upload", "0"),
        ("--max-upload", "inf"),
        ("--max-seconds", "-1"),
        ("--jobs", "0"),
        ("--port", "x"),
        ("--share",),
    ],
)
def test_wrong_use(arguments, capsys):
    with pytest.raises(SystemExit):
        options(*arguments)
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("192.168.1.2", False), ("example.org", False)],
)  # fmt: skip
def test_loopback(host, expected):
    assert app._is_loopback(host) == expected


def test_without_gradio(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *arguments, **rest):
        if name.partition(".")[0] == "gradio":
            raise ImportError("No module named 'gradio'")
        return real(name, *arguments, **rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("aiface.apps.cli.app.signal.signal", lambda *_: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert main(["app"]) == 1
    assert "pip install 'gradio>=6.31,<7'" in capsys.readouterr().err


def test_importing_it_takes_no_gradio():
    code = "import sys, aiface.apps.cli.app, aiface.apps.web.page\n"
    code += "print(sorted({'gradio', 'tensorflow', 'keras'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The server


class Client:
    """Asks a server as browsers do. functions: the indices of the page's."""

    def __init__(self, folder, port, functions):
        self.folder, self.port, self.functions = folder, port, functions

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answered:
            return answered.headers, answered.read()

    def post(self, path, body, kind="application/json"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/gradio_api{path}", body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answered:
            return json.loads(answered.read())

    def upload(self, name, content):
        head = f'--xx\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--xx--\r\n"
        return self.post("/upload", body, "multipart/form-data; boundary=xx")[0]

    def call(self, name, client, *data):
        """What the last message about a call of one of the page's functions says."""
        body = {"data": data, "fn_index": self.functions[name], "session_hash": client}
        self.post("/queue/join", json.dumps(body).encode())
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/gradio_api/queue/data?session_hash={client}", timeout=60
        ) as events:
            messages = [json.loads(line[6:]) for line in events if line.startswith(b"data: ")]
        return [message for message in messages if message["msg"] == "process_completed"][-1]

    def kept(self):
        """What lies on the disk, but for the empty files that Gradio leaves behind."""
        return [path for path in Path(self.folder).rglob("*") if path.is_file() and path.stat().st_size]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("gradio", reason="the web app needs gradio: pip install 'gradio>=6.31,<7'")
    folder, port = tmp_path_factory.mktemp("uploads"), free_port()
    with served(["tests/helpers/served.py", str(folder), str(port)]) as functions:
        yield Client(folder, port, json.loads(functions))


def refused(ask, *arguments):
    """The status with which the server refuses."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(*arguments)
    with caught.value:
        return caught.value.code


def sent(path):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def test_nothing_is_asked_of_other_hosts(server):
    headers, page = server.get("/")
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert not re.findall(rb"""(?:src|href)=["'](?:https?:)?//""", page)
    assert b"fonts.googleapis" not in page + server.get("/theme.css")[1]
    config = json.loads(server.get("/config")[1])
    assert config["analytics_enabled"] is False
    assert config["is_colab"] is False
    assert config.get("footer_links", []) == []


@pytest.mark.parametrize("path", ["/monitoring", "/gradio_api/runs", "/gradio_api/proxy=a", "/gradio_api/vibe-code"])
def test_pages_of_gradio_that_are_off(server, path):
    assert refused(server.get, path) in {403, 404}


def test_a_file_that_is_too_large(server):
    assert refused(server.upload, "large.mp4", bytes(1_200_000)) == 413


def test_a_file_is_judged_and_deleted(server, tmp_path):
    path = server.upload("a.png", save(tmp_path / "a.png", (100, 40, 100, RED)).read_bytes())
    waiting = server.call("claim", "one", sent(path))
    assert "Waiting" in waiting["output"]["data"][0]
    judged = server.call("show", "one")
    assert judged["success"]
    assert [kept for kept in server.kept() if "aiface-" in str(kept)] == []  # Gradio's own goes within two minutes


def test_clients_do_not_see_each_other(server, tmp_path):
    for client, colour in (("red", RED), ("blue", BLUE)):
        path = server.upload("a.png", save(tmp_path / "a.png", (100, 40, 100, colour)).read_bytes())
        server.call("claim", client, sent(path))
    full = server.upload("a.png", save(tmp_path / "a.png", (100, 40, 100, MIXED)).read_bytes())
    assert streams.FULL in server.call("claim", "third", sent(full))["output"]["data"][0]
    assert "AI-generated" in str(server.call("show", "red")["output"])
    assert "Looks real" in str(server.call("show", "blue")["output"])


@pytest.mark.parametrize("name", ["../../evil.png", "..%2f..%2fevil.png", "/tmp/evil.png", "a/../../../evil.png", EVIL])
def test_a_name_leads_nowhere_and_is_no_html(server, tmp_path, name):
    path = server.upload(name, save(tmp_path / "a.png", (100, 40, 100, RED)).read_bytes())
    assert Path(server.folder) in Path(path).resolve().parents
    assert not Path("/tmp/evil.png").exists()
    assert [
        found.name for found in Path(server.folder).parent.rglob("*evil*") if Path(server.folder) not in found.parents
    ] == []
    server.call("claim", "named", sent(path))
    page = Page("".join(map(str, server.call("show", "named")["output"]["data"])))
    assert "AI-generated" in page.text
    assert not any("onerror" in attributes for _, attributes in page.tags)


def test_it_listens_on_this_machine_alone(server):
    """Whoever listens on all addresses answers at 127.0.0.2, too."""
    with socket.socket() as there, socket.socket() as elsewhere:
        assert there.connect_ex(("127.0.0.1", server.port)) == 0
        assert elsewhere.connect_ex(("127.0.0.2", server.port)) != 0


class Watch(http.server.BaseHTTPRequestHandler):
    asked = ()

    def do_GET(self):
        Watch.asked += (self.path,)
        self.send_error(404)

    do_HEAD = do_GET


def test_no_address_is_fetched(server):
    with http.server.HTTPServer(("127.0.0.1", 0), Watch) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            answered = server.call("claim", "one", sent(f"http://127.0.0.1:{other.server_port}/a.mp4"))
            streamed = server.call(
                "claim", "one", sent(f"http://127.0.0.1:{other.server_port}/a.mp4") | {"is_stream": True}
            )
        finally:
            other.shutdown()
            thread.join()
    assert not answered["success"]
    assert not streamed["success"]
    assert Watch.asked == ()


def test_no_other_file_of_the_machine_is_read(server, tmp_path):
    answered = server.call("claim", "one", sent(save(tmp_path / "secret.png", (100, 40, 100, RED))))
    assert not answered["success"]
    assert refused(server.get, f"/gradio_api/file={tmp_path / 'secret.png'}") in {403, 404}


def test_a_port_that_is_taken(server, tmp_path):
    command = [sys.executable, "tests/helpers/served.py", str(tmp_path), str(server.port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 1
    assert f"AifaceError: 127.0.0.1:{server.port}: expected a free address of this machine" in done.stderr
