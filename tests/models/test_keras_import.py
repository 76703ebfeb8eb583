import os
import subprocess
import sys

import pytest

from aiface.models.keras_import import native_stderr_hidden
from aiface.paths import ROOT


@pytest.mark.parametrize(("verbose", "shown"), [("", "before after"), ("1", "before within after")])
def test_native_output_is_hidden_only_within(capfd, monkeypatch, verbose, shown):
    monkeypatch.setenv("AIFACE_VERBOSE", verbose)
    os.write(2, b"before ")
    with native_stderr_hidden():
        os.write(2, b"within ")
    os.write(2, b"after")
    assert capfd.readouterr().err == shown


def test_errors_come_through(capfd):
    with pytest.raises(ZeroDivisionError), native_stderr_hidden():
        1 / 0  # noqa: B018
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_descriptor_is_lost():
    with native_stderr_hidden():
        pass
    first = os.dup(2)
    os.close(first)
    for _ in range(5):
        with native_stderr_hidden():
            pass
    second = os.dup(2)
    os.close(second)
    assert first == second


def test_keras_greets_nobody():
    code = [sys.executable, "-c", "import aiface.models.network"]
    result = subprocess.run(code, capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
