"""How much of what this CPU can do a network's scoring reaches."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import openvino
from openvino import opset13 as ops

from aiface.models.openvino_runtime import OpenVinoRuntime
from benchmarks.speed.clocks import Row, Spread, Turns, at_least

if TYPE_CHECKING:
    from aiface.models.keras_import import keras

GEMM = 2048  # rows and columns of the matrices whose product stands for the peak


def roofline(network: "keras.Model", runtime: OpenVinoRuntime, precision: str, crop: np.ndarray, rounds: int) -> Row:
    """The network's floating-point operations a second as a share of what this CPU reaches in a matrix product."""
    product = matrix_product(precision)
    turns = Turns({"network": partial(runtime, crop), "product": product}, rounds)
    reached = flops(network) / turns.seconds["network"] / (2 * GEMM**3 / turns.seconds["product"])
    peak = Spread.of(2 * GEMM**3 / turns.seconds["product"] / 1e9).text(" GFLOP/s")
    measure = f"{network.name}, {runtime.name}: share of the peak of a {GEMM}x{GEMM} matrix product ({peak})"
    return at_least(measure, Spread.of(100 * reached), 50, " %")


def matrix_product(precision: str) -> Callable[[], object]:
    """Multiplies two matrices of GEMM rows and columns, in a precision of OpenVINO's."""
    a, b = (np.random.default_rng(i).standard_normal((GEMM, GEMM), np.float32) for i in range(2))
    given = ops.parameter([GEMM, GEMM], np.float32)
    core = openvino.Core()
    best = core.get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()
    hints = {"INFERENCE_PRECISION_HINT": best if precision == "auto" else "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Model([ops.matmul(given, ops.constant(b), False, False)], [given])
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    return lambda: request.infer([a])


def flops(network: "keras.Model") -> int:
    """Floating-point operations of one crop: two for each multiplication of its convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        kind = type(layer).__name__
        if kind in ("Conv2D", "DepthwiseConv2D"):
            _, height, width, _ = layer.output.shape
            total += 2 * height * width * int(np.prod(layer.kernel.shape))
        elif kind == "Dense":
            total += 2 * int(np.prod(layer.kernel.shape))
    return total
