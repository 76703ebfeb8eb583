"""OpenVINO, which computes what finds faces and what scores them, without its reports to Google.

Importing this module takes a fifth of a second: only what computes does.
"""

import sys
from collections.abc import Mapping

# Can't be imported, else OpenVINO reports its use to Google. None is what Python's manual has for that, not its types
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
import openvino.frontend  # noqa: E402
import openvino.preprocess  # noqa: E402

__all__ = ["compiled", "openvino"]


def compiled(model: openvino.Model, hints: Mapping[str, object]) -> openvino.CompiledModel:
    """A network for this machine's CPU, whose threads are bound to no core.

    By itself OpenVINO binds each network of one thread to the first core, in every process: all would wait for that.
    """
    return openvino.Core().compile_model(model, "CPU", {"ENABLE_CPU_PINNING": False} | dict(hints))
