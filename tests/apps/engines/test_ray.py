"""Archives on a cluster of several nodes: each input has one row, whatever is killed meanwhile."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import colours_on_ray
import numpy as np
import pytest
import scene
from colours_on_ray import POISON
from mixed import index, mixed, reports_of
from PIL import Image
from scene import BLUE, RED, picture

from aiface.analysis.result import Settings
from aiface.apps.engines import ray as ray_engine
from aiface.errors import ClusterError, DataError
from aiface.io import object_stores
from aiface.paths import ROOT
from aiface.reports.folder import Reports, plan

HELPERS = ROOT / "tests" / "helpers"
PLACE = {"PYTHONPATH": str(HELPERS), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
SOON = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "8"}  # noticed that a node is gone
START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
         "--node-ip-address", "127.0.0.1", "--object-store-memory", str(100 << 20)]  # fmt: skip
READY = """import ray, sys, time
for _ in range(60):
    try:
        ray.init(address=sys.argv[1], log_to_driver=False)
        break
    except ConnectionError:
        time.sleep(1)
while ray.cluster_resources().get("CPU", 0) < int(sys.argv[2]): time.sleep(0.2)"""
run = partial(subprocess.run, cwd=ROOT, env=os.environ | PLACE, capture_output=True, text=True, timeout=500)
working = partial(subprocess.Popen, cwd=ROOT, env=os.environ | PLACE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def pictures(folder, count):
    folder.mkdir(exist_ok=True, parents=True)
    for number in range(count):
        red_or_blue = picture((100, 40, 100, RED if number % 2 else BLUE))
        Image.fromarray(red_or_blue).save(folder / f"{number:02}.png")
    return folder


# In this process


@pytest.fixture
def reports(tmp_path):
    return Reports(tmp_path / "out", scene.Finder(), scene.detector(), Settings())


@pytest.fixture
def worker(tmp_path, reports, monkeypatch):
    monkeypatch.chdir(tmp_path)  # which it does itself, and which is to be undone
    reports.folder.mkdir()
    return ray_engine.Judge(colours_on_ray.load, str(tmp_path), str(reports.folder), Settings())


def test_a_task_is_answered_input_by_input(tmp_path, worker, reports):
    names = [str(path) for path in sorted(pictures(tmp_path / "in", 2).iterdir())] + ["in/missing.png"]
    answers = [json.loads(answer) for answer in worker({"names": [json.dumps(names)]})["answers"]]
    assert [answer["row"]["path"] for answer in answers] == names
    assert [answer["row"]["verdict"] for answer in answers] == ["real", "ai", "error"]
    assert not any(answer["again"] for answer in answers)
    assert plan(names, reports)[0] == []
    again = worker({"names": [json.dumps(names)]})["answers"]
    assert again == [json.dumps(answer) for answer in answers]


@pytest.mark.parametrize(("deaths", "verdict"), [(0, "real"), (1, "real"), (2, "real"), (3, "error"), (4, "error")])
def test_an_input_over_which_workers_died(tmp_path, worker, reports, deaths, verdict):
    (name,) = map(str, pictures(tmp_path / "in", 1).iterdir())
    ray_engine.tries(reports, name).write_bytes(b"." * deaths)
    answer = worker.answer(name)
    assert answer["row"]["verdict"] == verdict
    assert (f"{deaths} workers died" in answer["row"]["why"]) == (verdict == "error")
    assert ray_engine.tries(reports, name).exists() == (verdict == "error")
    assert plan([name], reports)[0] == []  # it stays so


def test_a_fault_of_ours_is_one_input_s(tmp_path, worker, monkeypatch):
    names = sorted(map(str, pictures(tmp_path / "in", 2).iterdir()))
    monkeypatch.setattr(worker, "_finder", lambda image: [] if np.ptp(image[..., 0]) > 100 else image)
    rows = [worker.answer(name)["row"] for name in names]
    assert [row["verdict"] for row in rows] == ["error", "inconclusive"]
    assert "ValueError" in rows[0]["why"]


def test_what_lies_in_a_store_is_fetched(tmp_path, worker, reports):
    store = pytest.importorskip("fsspec").filesystem("memory")
    folder = pictures(tmp_path / "in", 2)
    store.pipe("/in/01.png", (folder / "01.png").read_bytes())
    store.pipe("/in/bad.png", b"none")
    there, bad, gone = (f"memory://in/{name}" for name in ("01.png", "bad.png", "gone.png"))
    row, of_bad, of_gone = (worker.answer(name) for name in (there, bad, gone))
    assert (row["row"]["path"], row["row"]["verdict"]) == (there, "ai")
    assert row["line"]["score"] == worker.answer(str(folder / "01.png"))["line"]["score"]
    assert of_bad["row"]["why"] == f"{bad}: expected an image, found 4 bytes that are none; remove or replace it"
    assert of_gone["row"]["why"].startswith(f"{gone}: expected an object that can be read")
    assert [answer["again"] for answer in (row, of_bad, of_gone)] == [False, False, True]


def test_a_file_address_is_the_file_itself(tmp_path, reports):
    folder = pictures(tmp_path / "in %#", 2)
    assert [str(name) for name in plan([folder.as_uri()], reports, object_stores.search)[0]] == [
        str(folder / name) for name in ("00.png", "01.png")
    ]


@pytest.mark.parametrize(
    ("name", "inputs", "others"),
    [
        ("memory://box", ["memory:///box/a.png", "memory:///box/sub/b.mp4"], ["memory:///box/notes.txt"]),
        ("memory://box/*.png", ["memory:///box/a.png"], []),
        ("memory://box/a.png", ["memory://box/a.png"], []),
        ("memory://box/gone.png", ["memory://box/gone.png"], []),
        ("http://host/a*.mp4", ["http://host/a*.mp4"], []),
    ],
)
def test_a_store_is_searched(name, inputs, others):
    store = pytest.importorskip("fsspec").filesystem("memory")
    for file in ("a.png", "sub/b.mp4", "notes.txt"):
        store.pipe(f"/box/{file}", b"")
    there, left, _ = object_stores.search(name)
    found = [[str(at).replace("memory:///", "memory://") for at in names] for names in (there, [at for at, _ in left])]
    assert found == [[each.replace("memory:///", "memory://") for each in names] for names in (inputs, others)]


def test_an_object_that_is_too_large_is_not_fetched():
    pytest.importorskip("fsspec").filesystem("memory").pipe("/box/large.png", bytes(11))
    with object_stores.fetched("memory://box/large.png", most=11) as copy:
        assert copy.stat().st_size == 11
    assert not copy.exists()
    with pytest.raises(DataError, match="at most 10 bytes"), object_stores.fetched("memory://box/large.png", most=10):
        pass


def test_the_others_are_judged_while_one_waits_for_another_try(monkeypatch, reports):
    turns = []

    def turn(names, arguments):
        turns.append(list(names))
        return ({"row": {"path": name}, "again": name == "b"} for name in names)

    monkeypatch.setattr(ray_engine, "_map", turn)
    found = ray_engine.judge(None, Settings(), False, ["a", "b", "c"], reports)
    assert [answer["row"]["path"] for answer in found] == ["a", "c", "b"]
    assert turns == [["a", "b", "c"], ["b"]]


@pytest.mark.parametrize(
    ("stills", "clips", "workers", "sizes"),
    [(0, 0, 4, []), (1, 2, 4, [1, 1, 1]), (64, 0, 1, [16] * 4), (1000, 1, 2, [1, *[32] * 31, 8]), (3, 0, 8, [1] * 3)],
)  # fmt: skip
def test_tasks(stills, clips, workers, sizes):
    names = [f"{number}.png" for number in range(stills)] + [f"{number}.mp4" for number in range(clips)]
    tasks = ray_engine.groups(names, workers)
    assert [len(task) for task in tasks] == sizes
    assert sorted(name for task in tasks for name in task) == sorted(names)


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'aiface\[ray\]'"), ray_engine.cluster():
        pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, of its own options
def test_no_cluster_answers():
    pytest.importorskip("ray")
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"{address}: expected a Ray cluster, found"), ray_engine.cluster(address):
        pass


def test_a_table_of_any_names(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"path": name, "verdict": "ai", "score": score, "people": 1, "why": "", "says_generated": said, "report": None}
        for name, score, said in (("b\udcff.png", 0.5, ["EXIF Software: Sora", "b\udcff"]), ("a.png", None, None))
    ]
    found = parquet.read_table(ray_engine.write_table(tmp_path / "results.parquet", rows)).to_pylist()
    assert found == [rows[1], rows[0] | {"path": "b\ufffd.png", "says_generated": ["EXIF Software: Sora", "b\ufffd"]}]
    assert [path.name for path in tmp_path.iterdir()] == ["results.parquet"]


# On a cluster


def start(address=None, cpus=1):
    port = address.rpartition(":")[2] if address else str(free_port())
    where = ["--address", address] if address else ["--head", "--port", port, "--include-dashboard", "false"]
    node = subprocess.Popen(
        [*START, *where, "--num-cpus", str(cpus)], cwd=ROOT, env=os.environ | PLACE | SOON,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    return node, address or f"127.0.0.1:{port}"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def processes(node):
    """All that a node consists of."""
    psutil = pytest.importorskip("psutil")
    try:
        return [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(processes):
    psutil = pytest.importorskip("psutil")
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it ended with another
            process.kill()


def until(condition, seconds=160):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def nodes():
    """A head that judges nothing and two nodes of one core, each a `ray start` of its own; and their `address`."""
    pytest.importorskip("ray")
    head, address = start(cpus=0)
    found = {"address": address, "head": head}
    try:
        until(lambda: reachable(address))
        for number, name in enumerate(("one", "two"), 1):  # in turns: a node that starts too slowly gives up
            found[name] = start(address)[0]
            ready = run([sys.executable, "-c", READY, address, str(number)])
            assert ready.returncode == 0, ready.stderr
        yield found
    finally:
        for name in ("one", "two", "head"):
            if name in found:
                kill(processes(found[name])[::-1])
                found[name].wait()


def reachable(address):
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


@pytest.fixture
def command(nodes, tmp_path):
    """`command(seconds, names...)`: analyze them on the cluster into tmp_path/out."""

    def build(seconds, *names):
        script, out = str(HELPERS / "colours_on_ray.py"), str(tmp_path / "out")
        return [sys.executable, script, str(seconds), "analyze", *map(str, names), "--engine", "ray",
                "--address", nodes["address"], "--out", out, "--json"]  # fmt: skip

    return build


def workers(node):
    return [process for process in processes(node) if "MapWorker" in "".join(process.cmdline())]


def table(out):
    from pyarrow import parquet

    return parquet.read_table(out / "results.parquet").to_pylist()


def by_path(rows):
    return sorted(rows, key=lambda row: row["path"])


def lies_in(folder, row):
    return Path(row["path"]).is_relative_to(folder)


def test_it_answers_as_one_machine_does(files, tmp_path, command):
    store = pictures(tmp_path / "store", 2)
    Image.new("RGB", (64, 64), POISON).save(store / "poison.png")
    done = run(command(0, mixed(files, 24), store.as_uri()))
    alone = run([sys.executable, str(HELPERS / "judge_by_colour.py"), "analyze", str(files), "--out",
                 str(tmp_path / "alone"), "--json"])  # fmt: skip
    assert (done.returncode, alone.returncode) == (1, 1), done.stderr  # some could not be judged
    assert "judged now" in done.stderr, done.stderr
    rows = index(tmp_path / "out")
    assert by_path(table(tmp_path / "out")) == by_path({key: row[key] for key in ray_engine.COLUMNS} for row in rows)
    assert by_path(row for row in rows if not lies_in(store, row)) == by_path(index(tmp_path / "alone"))
    assert [row["verdict"] for row in by_path(rows) if lies_in(store, row)] == ["real", "ai", "error"]
    lines, alone_lines = (by_path(map(json.loads, each.stdout.splitlines())) for each in (done, alone))
    assert [line for line in lines if not lies_in(store, line)] == alone_lines
    (poison,) = (row for row in rows if row["path"].endswith("poison.png"))
    assert "3 workers died" in poison["why"]
    assert not list((tmp_path / "out").glob(".*"))
    assert len(rows) == 24 + 3


@pytest.mark.parametrize("what", ["worker", "node"])
def test_killed_midway_nothing_is_lost_and_nothing_doubled(nodes, tmp_path, command, what):
    """Of the worker alone that judges, or with its node, or all; another takes over."""
    names, out = pictures(tmp_path / "in", 40), tmp_path / "out"
    with working(command(0.25, names)) as judging:
        until(lambda: judging.poll() is not None or len(reports_of(out)) >= 6)
        name = next(name for name in ("one", "two") if workers(nodes[name]))
        victims = processes(nodes[name]) if what == "node" else workers(nodes[name])
        before = reports_of(out)
        kill(victims[::-1])
        printed, told = judging.communicate(timeout=160)
    assert judging.returncode == 0, told.decode()
    if what == "node":
        nodes[name].wait()
        nodes[name] = start(nodes["address"])[0]
    assert 6 <= len(before) < 40
    assert {path: at for path, at in reports_of(out).items() if path in before} == before  # not written anew
    expected = [str(path) for path in sorted(names.iterdir())]
    assert [row["path"] for row in table(out)] == expected
    assert [row["verdict"] for row in table(out)] == ["real", "ai"] * 20
    assert sorted(json.loads(line)["path"] for line in printed.splitlines()) == expected
    assert len(list(out.glob("*.json"))) == 41


def test_stopped_it_goes_on(tmp_path, command):
    names, out = pictures(tmp_path / "in", 40), tmp_path / "out"
    with working(command(0.25, names)) as judging:
        until(lambda: judging.poll() is not None or len(reports_of(out)) >= 6)
        judging.send_signal(signal.SIGINT)
        told = judging.communicate(timeout=120)[1]
    assert judging.returncode == 130, told.decode()
    done = {row["report"] for row in index(out)}
    assert 6 <= len(done) < 40
    before = reports_of(out)
    ended = run(command(0, names))
    assert ended.returncode == 0, ended.stderr
    assert f"{40 - len(before)} judged now, {len(before)} known before" in ended.stderr
    assert {path: at for path, at in reports_of(out).items() if path in before} == before
    assert len(table(out)) == len(index(out)) == 40
