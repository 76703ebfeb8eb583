import os
import subprocess
import sys

import pytest

from aiface.io.greetings import greetings_hidden, worth_telling
from aiface.paths import ROOT

ABSL = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
ONEDNN = "I0000 00:00:1795875301.118052    9745 port.cc:153] oneDNN custom operations are on."
FEATURES = "To enable the following instructions: AVX2 AVX512F FMA, in other operations, rebuild TensorFlow."
OLD = "2026-11-28 14:13:20.123456: W tensorflow/core/common_runtime/gpu/gpu_device.cc:2343] Skipping"
NO_GPU = "E0000 00:00:1795875304.498092    9745 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error"
FATAL = "F0000 00:00:1795875304.498092    9745 cpu_feature_guard.cc:165] AVX instructions are not available"
DISK = "E0000 00:00:1795875304.498092    9745 file_system.cc:12] no space left"


@pytest.mark.parametrize(
    ("line", "has_gpu", "told"),
    [
        (ABSL, False, False),
        (ONEDNN, False, False),
        (FEATURES, False, False),
        (OLD, False, False),
        ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", False, False),
        (NO_GPU, False, False),
        (NO_GPU, True, True),
        (FATAL, False, True),
        (DISK, False, True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", False, True),
        ("Traceback (most recent call last):", False, True),
    ],
)
def test_what_is_a_greeting(line, has_gpu, told):
    assert list(worth_telling([line], has_gpu)) == [line] * told


@pytest.mark.parametrize(("verbose", "shown"), [("", "before\nwithin\nafter\n"), ("1", "before\n{}\nwithin\nafter\n")])
def test_greetings_are_hidden_within_and_all_else_is_told(capfd, monkeypatch, verbose, shown):
    monkeypatch.setenv("AIFACE_VERBOSE", verbose)
    os.write(2, b"before\n")
    with greetings_hidden():
        os.write(2, f"{ONEDNN}\nwithin\n".encode())
    os.write(2, b"after\n")
    assert capfd.readouterr().err == shown.format(ONEDNN)


def test_errors_come_through(capfd):
    with pytest.raises(ZeroDivisionError), greetings_hidden():
        1 / 0  # noqa: B018
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_the_last_words_of_a_process_that_aborts_are_told():
    code = "import os; from aiface.io.greetings import greetings_hidden as hidden\nwith hidden():\n"
    code += f"    os.write(2, {f'{ONEDNN}{os.linesep}{FATAL}{os.linesep}'.encode()!r}); os.abort()"
    ended = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert ended.returncode
    assert ended.stderr == FATAL + "\n"


def test_no_descriptor_is_lost():
    with greetings_hidden():
        pass
    first = os.dup(2)
    os.close(first)
    for _ in range(5):
        with greetings_hidden():
            pass
    second = os.dup(2)
    os.close(second)
    assert first == second
