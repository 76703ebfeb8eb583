"""Training on several devices and as several processes comes to the same as on one."""

import json
import os
import re
import socket
import subprocess
import sys

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.batches import Batches
from aiface.data.crop_sets import FIELDS, CropSet, _read_rows, prepare
from aiface.data.folders import scan
from aiface.errors import DataError, ModelError
from aiface.io.files import write_csv
from aiface.paths import ROOT
from aiface.training.config import TrainConfig
from aiface.training.devices import HOSTS, ONE, Devices, hosts, join
from aiface.training.trainer import _standing

STRICT = [sys.executable, "-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning"]
SCRIPT = str(ROOT / "tests" / "helpers" / "trained_together.py")
TOLERANCE = 1e-5  # of losses about 0.7 and of weights: sums of the same numbers, in another order


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def together(number):
    """What is in the environment of each of so many processes."""
    address = f"127.0.0.1:{free_port()}"
    return [dict(zip(HOSTS, (address, str(number), str(process)), strict=True)) for process in range(number)]


def start(*arguments, backend="jax", **more):
    """A process for which every warning is an error. Compiled in a hurry."""
    kept = {name: value for name, value in os.environ.items() if name not in HOSTS}
    kept |= {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    kept["XLA_FLAGS"] = f"--xla_backend_optimization_level=0 {more.pop('XLA_FLAGS', '')}"
    return subprocess.Popen([*STRICT, *map(str, arguments)], env=kept | more, cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def train(job, **more):
    return start(SCRIPT, json.dumps(job, default=str), **more)


def train_together(jobs):
    return [train(job, **more) for job, more in zip(jobs, together(len(jobs)), strict=True)]


def ended(processes, within=180):
    """Exit codes, what was told line by line, and errors; no process outlives this."""
    try:
        said = [process.communicate(timeout=within) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    told = [[json.loads(line) for line in out.splitlines() if line.startswith("{")] for out, _ in said]
    return [process.returncode for process in processes], told, [error for _, error in said]


def finished(processes):
    """The first and the last that each told, where all ended well."""
    codes, told, errors = ended(processes)
    assert codes == [0] * len(processes), "\n".join(errors)
    return [(lines[0], lines[-1]) for lines in told]


@pytest.fixture(scope="module")
def crops(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    prepare(scan(make_tree(folder / "tree")), folder / "crops", FakeFinder)
    return folder / "crops"


@pytest.fixture(scope="module")
def alone(crops, tmp_path_factory):
    """What one process with one device comes to."""
    ((joined, found),) = finished([train({"crops": crops, "run": tmp_path_factory.mktemp("alone") / "run"})])
    assert joined["number"] == 1
    return found


def agrees(found, expected):
    """Whether two trainings had the same history and came to the same weights."""
    assert len(found["history"]) == len(expected["history"]) == 4
    for row, other in zip(found["history"], expected["history"], strict=True):
        assert row == pytest.approx(other, abs=TOLERANCE)
    assert found["weight"] == pytest.approx(expected["weight"], rel=TOLERANCE)


# The same as alone


def test_two_processes_are_as_one_and_the_first_alone_writes(crops, tmp_path, alone):
    run = tmp_path / "run"
    (joined, first), (_, second) = finished(train_together([{"crops": crops, "run": run}] * 2))
    assert (joined["number"], joined["processes"]) == (2, 2)
    agrees(first, alone)
    agrees(second, alone)
    assert second["written"] == []
    assert {name.strip(".").split("-")[0] for name in first["written"]} == {"config", "state", "progress", "best"}
    assert sorted(path.name for path in run.iterdir()) == [
        "best.npz",
        "config.json",
        "progress.json",
        "state-00004.npz",
    ]


def test_two_devices_of_one_process_are_as_one(crops, tmp_path, alone):
    job = {"crops": crops, "run": tmp_path / "run"}
    ((joined, found),) = finished([train(job, XLA_FLAGS="--xla_force_host_platform_device_count=2")])
    assert (joined["number"], joined["processes"]) == (2, 1)
    agrees(found, alone)


def test_two_devices_of_tensorflow_are_as_one(crops, tmp_path):
    """Without what each device has of its own: draws of dropout, and statistics of batches."""
    job = {"crops": crops, "config": {"dropout": 0.0, "init": "frozen normalisations"}}
    jobs = [job | {"devices": devices, "run": tmp_path / devices} for devices in ("one", "all")]
    (_, one), (joined, two) = finished([train(job, backend="tensorflow") for job in jobs])
    assert (joined["number"], joined["processes"]) == (2, 1)
    agrees(two, one)


def test_with_a_teacher_two_processes_are_as_one(crops, tmp_path):
    job = {"crops": crops, "config": {"teacher": "there", "dropout": 0.0}}
    ((_, one),) = finished([train(job | {"run": tmp_path / "one"})])
    for _, each in finished(train_together([job | {"run": tmp_path / "two"}] * 2)):
        agrees(each, one)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_the_shares_of_a_batch_are_disjoint_and_together_the_whole(crops, processes, balance):
    inputs = (CropSet(crops).split("train"), 48, 8, 3, (0, 1))
    shares = [Devices(processes, process, processes).share(8) for process in range(processes)]
    places = [place for share in shares for place in range(8)[share]]
    assert places == list(range(8))
    whole = Batches(*inputs, balance=balance)
    parts = [Batches(*inputs, balance=balance, share=share) for share in shares]
    for index in range(3):
        for each, expected in zip(zip(*(part[index] for part in parts), strict=True), whole[index], strict=True):
            np.testing.assert_array_equal(np.concatenate(each), expected)
        np.testing.assert_array_equal(np.concatenate([part.originals(index) for part in parts]), whole.originals(index))


# After a loss


@pytest.mark.parametrize(
    ("number", "victim", "epoch", "then"),
    [
        pytest.param(4, 1, 3, 2, id="one of four, two go on"),
        pytest.param(2, 0, 1, 1, id="the first of two, the other goes on alone"),
    ],
)
def test_one_is_killed_and_fewer_go_on(crops, tmp_path, alone, number, victim, epoch, then):
    """The others end by themselves, in error; who goes on comes to what an uninterrupted training comes to."""
    job = {"crops": crops, "run": tmp_path / "run", "lost_s": 10}
    jobs = [job | {"dies_in": epoch if process == victim else -1} for process in range(number)]
    codes, told, errors = ended(train_together(jobs))
    assert codes.pop(victim) == -9
    errors.pop(victim)
    for code, error in zip(codes, errors, strict=True):
        assert code not in (0, -9)
        assert "process ended, start the same command again" in error or "another task died" in error
    rows = [[line for line in lines if line["kind"] == "row"] for lines in told]
    for found, expected in zip(rows[0], alone["history"], strict=False):
        assert found == pytest.approx({"kind": "row"} | expected, abs=TOLERANCE)
    assert {len(found) for found in rows} == {epoch}
    for _, found in finished(train_together([job] * then) if then > 1 else [train(job)]):
        agrees(found, alone)


# Named errors


def test_a_host_that_has_other_data(crops, tmp_path):
    """The same crops in another order: each share would be of another batch."""
    (tmp_path / "crops-00000.bin").symlink_to(crops / "crops-00000.bin")
    write_csv(tmp_path / "crops-00000.csv", reversed(_read_rows(crops / "crops-00000.csv")), FIELDS)
    run = tmp_path / "run"
    codes, _, errors = ended(train_together([{"crops": crops, "run": run}, {"crops": tmp_path, "run": run}]))
    assert codes == [1, 1]
    for error in errors:
        assert (
            "DataError: expected the same crops, configuration and last epoch in all processes, found others in 1"
            in error
        )
    assert not run.exists()


def test_what_processes_have_to_agree_on(crops, tmp_path):
    """Crops in their order, every choice, and how far the run that each sees has come."""
    some, config = CropSet(crops), TrainConfig()
    (tmp_path / "progress.json").write_text('{"epoch": 3}')
    turned = CropSet(crops, some.rows[::-1])
    found = [
        _standing(some, config, tmp_path / "none"), _standing(some, config, tmp_path),
        _standing(turned, config, tmp_path), _standing(some, TrainConfig(seed=1), tmp_path),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert [text.rpartition(" ")[2] for text in found] == ["none", "3", "3", "3"]
    assert _standing(CropSet(crops), TrainConfig(), tmp_path) == found[1]


JOIN = """
import sys
from aiface.errors import ModelError
if "late" in sys.argv:
    import aiface.models.keras_import
from aiface.training.devices import join
try:
    join("all", wait_s=1)
except ModelError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("process", "how", "message"),
    [
        (1, "", "expected the first process to listen there within 1 s, found: .*; start the same command on every"),
        (0, "late", "expected to join before all else, found: .*; start a new process"),
        (0, "taken", "expected to listen there, found: .*; choose another port"),
    ],
)
def test_the_others_cant_be_met(process, how, message):
    place = together(2)[process]
    with socket.socket() as other:
        if how == "taken":
            other.bind(("", int(place[HOSTS[0]].rpartition(":")[2])))
            other.listen()
        joining = start("-c", JOIN, how, **place)
        out, error = joining.communicate(timeout=60)
    assert joining.returncode == 0, error
    assert out.startswith(place[HOSTS[0]])
    assert re.search(message, out)


def test_hosts_with_unlike_devices():
    """Two devices in one, one in the other."""
    flags = ("", "--xla_force_host_platform_device_count=2")
    processes = [start("-c", JOIN.replace("wait_s=1", "wait_s=60"), **place, XLA_FLAGS=flag)
                 for place, flag in zip(together(2), flags, strict=True)]  # fmt: skip
    for process in processes:
        out, error = process.communicate(timeout=60)
        assert "expected as many devices in each process, found 1, 2" in out, error


GOOD = ("10.0.0.1:1234", "2", "1")


@pytest.mark.parametrize(
    ("given", "expected"), [(GOOD, ("10.0.0.1:1234", 2, 1)), (("[::1]:1", "1", "0"), ("[::1]:1", 1, 0)), (None, None)]
)
def test_hosts(monkeypatch, given, expected):
    set_environment(monkeypatch, given)
    assert hosts() == expected


@pytest.mark.parametrize(
    "given",
    [
        ("10.0.0.1:1234",), ("", "2", "1"), ("10.0.0.1", "2", "1"), (":1234", "2", "1"), ("10.0.0.1:a", "2", "1"),
        ("10.0.0.1:1234", "two", "1"), ("10.0.0.1:1234", "2", "2"), ("10.0.0.1:1234", "2", "-1"),
    ],
)  # fmt: skip
def test_an_environment_that_says_it_in_part_or_wrongly(monkeypatch, given):
    set_environment(monkeypatch, given)
    with pytest.raises(ModelError, match=f"expected {HOSTS[0]}=HOST:PORT, .* or none of them; found {HOSTS[0]}="):
        hosts()


def set_environment(monkeypatch, given):
    for name in HOSTS:
        monkeypatch.delenv(name, raising=False)
    for name, value in zip(HOSTS, given or (), strict=False):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("devices", "backend", "message"),
    [
        ("two", "jax", "expected DEVICES among one, all, found 'two'"),
        ("one", "jax", f"expected DEVICES=all and KERAS_BACKEND=jax, as {HOSTS[0]} .*; found one and jax"),
        ("all", "tensorflow", "found all and tensorflow; several hosts train with JAX alone"),
    ],
)
def test_what_cant_be_joined(monkeypatch, devices, backend, message):
    set_environment(monkeypatch, GOOD)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(ModelError, match=message):
        join(devices)


def test_one_device_needs_nobody(monkeypatch):
    set_environment(monkeypatch, None)
    assert join() == ONE
    assert ONE.told({"auc": 0.5}) == {"auc": 0.5}
    ONE.agree("anything", "at all")
    ONE.leave()


@pytest.mark.parametrize(("number", "batch_size"), [(3, 8), (16, 8), (4, 30)])
def test_a_batch_that_cant_be_shared(number, batch_size):
    with pytest.raises(DataError, match=f"that {number} devices can share evenly, found {batch_size}"):
        Devices(number).share(batch_size)
