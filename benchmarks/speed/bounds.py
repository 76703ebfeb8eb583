"""What an hour of video would take at least: each stage's work at this CPU's peak, in core seconds.

Networks by their multiplications at the pace of a large matrix product, crops by their bytes at that of a copy,
decoding by FFmpeg alone. For the other stages no bound is known.
"""

import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from statistics import median

import numpy as np
import openvino

from aiface.analysis.result import Analysis
from aiface.faces.crop import CROP_SIZE
from aiface.faces.finder import CLOSE_UP_SIDE, SEARCH_SIDE
from aiface.faces.glances import EVERY
from aiface.video.decoding import Clip
from benchmarks.speed.roofline import GEMM, matrix_product

ROUNDS = 5
COPY = 64 << 20  # bytes: more than caches hold


def core_seconds(function: Callable[[], object]) -> float:
    """The median of this process's time, of all its threads, over some calls."""

    def once() -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    return median(once() for _ in range(ROUNDS))


def bounds(clip: Path, analysis: Analysis, passes: int, scorer: openvino.Model, finder: openvino.Model) -> dict:
    """Core seconds of a clip by stage: `decode`, `find`, `crop` and `score`, which took so many passes of the network.

    finder: YuNet, of which any side may be asked. With a search each second, and glances between.
    """
    peak = 2 * GEMM**3 / core_seconds(matrix_product("f32"))
    source = np.ones(COPY, np.uint8)
    pace = COPY / core_seconds(source.copy)
    searches = min(analysis.frames, analysis.seconds / EVERY)
    of_search, of_glance = (flops(at_side(finder, side)) for side in (SEARCH_SIDE, CLOSE_UP_SIDE))
    sides = [look.side for person in analysis.people for look in person.best_looks]
    return {
        "decode": core_seconds(lambda: _decode(clip)),
        "find": (searches * of_search + (analysis.frames - searches) * of_glance) / peak,
        "crop": 3 * sum(side**2 + CROP_SIZE**2 for side in sides) / pace,
        "score": passes * flops(scorer) / peak,
    }


def _decode(clip: Path) -> None:
    video = Clip(str(clip), clip.name, rate=5)
    video.start()
    for _ in video.pictures():
        pass
    video.close()


def at_side(model: openvino.Model, side: int) -> openvino.Model:
    """YuNet for frames of 16 by 9, of which it takes multiples of 32."""
    copy = model.clone()
    copy.reshape([1, -(-side * 9 // 16 // 32) * 32, side, 3])
    return copy


def flops(model: openvino.Model) -> int:
    """Floating-point operations of one pass: two for each multiplication of convolutions and matrix products."""
    return sum(2 * _multiplications(node) for node in model.get_ops())


def _multiplications(node: openvino.Node) -> int:
    kind = node.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "MatMul"):
        return 0
    shapes = [list(each.get_shape()) for each in (node.output(0), node.input(1))]
    if kind == "MatMul":
        return prod(shapes[0]) * prod(shapes[1]) // shapes[0][-1]
    return prod(shapes[0]) * prod(shapes[1][2 if kind == "GroupConvolution" else 1 :])
