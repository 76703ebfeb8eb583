"""OpenVINO, which computes what finds faces and what scores them, without its reports to Google.

Importing this module takes a fifth of a second: only what computes does.
"""

import sys

# Can't be imported, else OpenVINO reports its use to Google. None is what Python's manual has for that, not its types
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
import openvino.frontend  # noqa: E402
import openvino.preprocess  # noqa: E402

__all__ = ["openvino"]
