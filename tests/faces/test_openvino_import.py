import os
from contextlib import suppress
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from aiface.faces.openvino_import import compiled, openvino

ONE = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}


def cores_of_threads():
    """Which cores each thread of this process may run on, at this moment."""
    found = set()
    for path in Path("/proc/self/task").glob("*/status"):
        with suppress(OSError):  # it has ended
            lines = path.read_text().splitlines()
            found |= {line.split()[1] for line in lines if line.startswith("Cpus_allowed_list")}
    return found


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system doesn't tell")
@pytest.mark.skipif(os.cpu_count() == 1, reason="all there is is one core")
def test_no_thread_is_bound_to_a_core():
    """While a network of one thread works: OpenVINO's own choice is the first core, for each network and process."""
    given = openvino.opset13.parameter([512, 512], np.float32)
    product = openvino.opset13.matmul(given, openvino.opset13.constant(np.ones((512, 512), np.float32)), False, False)
    request = compiled(openvino.Model([product], [given]), ONE).create_infer_request()
    work = Thread(target=lambda: [request.infer([np.ones((512, 512), np.float32)]) for _ in range(50)])
    before, seen = cores_of_threads(), set()
    work.start()
    while work.is_alive():
        seen |= cores_of_threads()
    assert seen <= before
