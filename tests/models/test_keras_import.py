import subprocess
import sys

import pytest

from aiface.paths import ROOT

MTCNN = "from aiface.faces.finder import Mtcnn; Mtcnn()"


@pytest.mark.parametrize("code", ["import aiface.models.network", MTCNN])
def test_tensorflow_greets_nobody(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
