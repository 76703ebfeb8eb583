"""What is installed is locked by hash and under known licences; and what a PyPI that is played knows against it."""

import json
import re
import threading
import tomllib
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from benchmarks.upkeep import supply
from benchmarks.upkeep.supply import LOCK, ROOT, Requirement, audit, licence, licence_row, locked, to_markdown

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_requirement_is_locked_by_hash():
    names = [line for line in LOCK.read_text().splitlines() if re.match(r"[^\s#]", line)]
    assert len(names) == len(locked()) > 100
    direct = needed() + [name for extra in ("notebooks", "train", "dev") for name in needed(extra)]
    assert len(direct) > 25
    assert set(direct) <= {entry.name for entry in locked()}
    assert "pip install --quiet --disable-pip-version-check --require-hashes" in (ROOT / "Makefile").read_text()


def needed(extra=None):
    """The names of what `pip install .` brings, or of what an extra adds."""
    text = (
        (ROOT / "requirements.in").read_text() if extra is None else "\n".join(PROJECT["optional-dependencies"][extra])
    )
    return re.findall(r"^([\w-]+)>=", text, re.MULTILINE)


def test_judging_needs_no_tools_of_training_and_development():
    others = {name for extra in PROJECT["optional-dependencies"] for name in needed(extra)} - {"tensorflow"}
    assert {"pytest", "ruff", "jupyter", "jax", "jsonschema"} <= others
    assert not others & set(needed())


def test_a_requirement_without_a_hash_is_seen(tmp_path):
    (tmp_path / "lock").write_text(
        f"a==1 \\\n    --hash=sha256:{'0' * 64}\n    # via b\nb==2\nc==3 \\\n    --hash=md5:0\n"
    )
    assert [entry.name for entry in locked(tmp_path / "lock")] == ["a"]


def test_all_that_is_installed_may_be_used():
    row = licence_row(locked())
    assert row.met, row.found


def test_the_list_of_licences_is_of_this_lock():
    """Else run `make supply`."""
    page = (ROOT / "docs" / "measured" / "LICENCES.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| ([\w.-]+) \| (\d\S*) \|", page, re.MULTILINE)
    others = re.findall(r"([\w.-]+) (\d\S*?)[,.](?=\s)", page.partition("wrote this: ")[2])
    assert sorted(listed + others) == sorted((entry.name, entry.version) for entry in locked())


def said(**fields):
    message = Message()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (said(License_Expression="MIT", License="BSD"), "MIT"),
        (said(Classifier=["License :: OSI Approved :: BSD License", "Topic :: x"], License="x"), "BSD License"),
        (said(Classifier=["License :: OSI Approved"], License="Apache 2.0\n\n   Terms"), "Apache 2.0"),
        (said(Classifier=[f"License :: OSI Approved :: {name}" for name in "ab"]), "a AND b"),
        (said(Name="x"), ""),
    ],
)
def test_what_a_package_says(metadata, expected):
    assert licence(metadata) == expected


@pytest.mark.parametrize(
    ("requirement", "found"),
    [
        (Requirement("a", "1", True, "MIT AND BSD-3-Clause"), "0"),
        (Requirement("a", "1", False, None), "0"),
        (Requirement("a", "1", True, None), "0; a 1 is not installed"),
        (Requirement("a", "1", True, "AGPL-3.0"), "1; a: AGPL-3.0"),
        (Requirement("a", "1", False, "MIT AND AGPL-3.0"), "1; a: MIT AND AGPL-3.0"),
        (Requirement("a", "1", True, ""), "1; a: says nothing"),
    ],
)
def test_which_licences_are_told(requirement, found):
    row = licence_row([requirement])
    assert (row.found, row.met) == (found, found == "0")


def test_the_page():
    page = to_markdown([Requirement("a", "1", True, "MIT"), Requirement("b", "2.0", False, None)])
    assert "| a | 1 | MIT |" in page
    assert "than the one that wrote this: b 2.0." in page


# Known holes

HOLE = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fixed_in": ["2"], "summary": "a hole", "withdrawn": None,
        "published": "2026-01-01T00:00:00Z"}  # fmt: skip
UNASKED = r"not measured: PyPI could not be asked \(.*"
REDIRECT = """
import os, requests
ask = requests.Session.request
requests.Session.request = lambda self, method, url, **rest: ask(
    self, method, url.replace("https://pypi.org", os.environ["PLAYED"]), **rest)
"""


class PyPI(BaseHTTPRequestHandler):
    """Its JSON API, with what the test says."""

    def do_GET(self):
        status, body = self.server.answers(self.path)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def played(tmp_path, monkeypatch):
    """`played(answers)` has pip-audit ask a server here in place of PyPI."""
    if not supply.AUDITOR.exists():
        pytest.skip("pip-audit is not installed: make .venv-tools/done")
    (tmp_path / "sitecustomize.py").write_text(REDIRECT)
    with ThreadingHTTPServer(("127.0.0.1", 0), PyPI) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("PLAYED", f"http://127.0.0.1:{server.server_port}")
        yield lambda answers: setattr(server, "answers", answers)
        server.shutdown()
        thread.join()


def of(**holes):
    """PyPI's answer for each of the packages, "a" and "b"."""
    return lambda path: (200, json.dumps({"vulnerabilities": holes.get(path.split("/")[2], [])}))


@pytest.mark.parametrize(
    ("answers", "ignored", "found", "met"),
    [
        (of(), {}, "0", True),
        (of(b=[HOLE]), {}, "1; b: PYSEC-1", False),
        (of(b=[HOLE]), {"CVE-1": "is not reached"}, "0; 1 ignored with a reason", True),
        (of(a=[HOLE | {"id": "PYSEC-2", "aliases": []}], b=[HOLE]), {"PYSEC-1": "is not reached"},
         "1; a: PYSEC-2; 1 ignored with a reason", False),
        (of(), {"CVE-1": "was not reached"}, "0; CVE-1, ignored, is none any more", False),
        (of(b=[HOLE | {"withdrawn": "2026-02-01T00:00:00Z"}]), {}, "0", True),
        (lambda path: (404, "") if "/b/" in path else (200, "{}"), {}, UNASKED + "b: Dependency not found", None),
        (lambda path: (503, ""), {}, UNASKED, None),
        (lambda path: (200, "<html>Please sign in</html>"), {}, UNASKED, None),
    ],
    ids=["none", "one", "ignored", "another", "stale", "withdrawn", "unknown package", "down", "a portal's page"],
)  # fmt: skip
def test_known_holes_are_told(tmp_path, played, answers, ignored, found, met):
    played(answers)
    lock = tmp_path / "lock"
    lock.write_text("".join(f"{name}==1 \\\n    --hash=sha256:{'0' * 64}\n" for name in "ab"))
    row = audit(lock, ignored=ignored)
    assert row.met is met, row
    assert row.found == found or (met is None and re.match(found, row.found)), row


@pytest.mark.parametrize(
    ("stdout", "stderr", "found"),
    [("", "Traceback\nConnectionError: no route", "not measured: PyPI could not be asked (ConnectionError: no route)"),
     ("", "", "not measured: PyPI could not be asked (nothing)")],
)  # fmt: skip
def test_no_answer_is_no_pass(tmp_path, monkeypatch, stdout, stderr, found):
    monkeypatch.setattr(supply.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=stdout, stderr=stderr))
    row = audit(auditor=LOCK)  # any file that exists
    assert (row.found, row.met) == (found, None)
    assert audit(auditor=tmp_path / "none").found == "not measured: `make supply` installs pip-audit"


def test_what_is_ignored_has_its_reason():
    assert all(re.match(r"(PYSEC|GHSA|CVE)-", name) and len(why) > 20 for name, why in supply.IGNORED.items())


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1), (None, 1)])
def test_the_exit_code(tmp_path, monkeypatch, capsys, met, status):
    monkeypatch.setattr(supply, "audit", lambda: supply.Row("holes", "x", "0", met))
    assert supply.main(tmp_path) == status
    assert "holes: x" in capsys.readouterr().out
    assert (tmp_path / "LICENCES.md").is_file()
