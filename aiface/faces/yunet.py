"""YuNet's network (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector") through OpenVINO.

On frames of clips it takes two thirds of the time of OpenCV's `FaceDetectorYN`, on small pictures as long, and finds
the same: boxes and landmarks differ by less than a thousandth of a pixel (`python -m benchmarks.speed.finding`). In
bfloat16 it would be faster, but there they lie up to eleven pixels off.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from aiface.faces.openvino_import import compiled, openvino

STRIDES = (8, 16, 32)  # pixels from one place at which a face may be to the next, small faces to large ones
OVERLAP = 0.3  # IoU over which of two faces the surer stays
MOST = 500  # faces, the surest
PARTS = ("cls", "obj", "bbox", "kps")  # of the network's output for each stride
MANY = 200  # images of one size, from which on a network of that size is faster all in all


class OpenVinoYuNet:
    """Finds faces in images of any size with one thread, for one thread at a time; raises what OpenVINO does.

    One network with its sides left open serves all sizes. Compiled for one size it is an eighth faster, small ones a
    fifth, and finds the same to the bit; but that takes 0.1 s for each, so only those have their own that many images
    have, as in clips.
    """

    def __init__(self, path: str | Path):
        self._model = of_pictures(path)
        self._of_any_size, self._of_size = _compiled(self._model), dict[tuple[int, ...], openvino.InferRequest]()
        self._asked = Counter[tuple[int, ...]]()

    def __call__(self, image: np.ndarray, confidence: float) -> np.ndarray:
        """Faces of at least this confidence in an RGB uint8 image `(height, width, 3)`, as OpenCV's detector has them.

        `(n, 15)` float32: x, y, width, height, five landmarks x, y in pixels, the confidence; the surest first.
        """
        bottom, right = (-length % STRIDES[-1] for length in image.shape[:2])
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        found = self._network(padded.shape).infer([padded[None]])
        rows = [
            _faces([found[f"{part}_{stride}"][0] for part in PARTS], stride, padded.shape[1] // stride, confidence)
            for stride in STRIDES
        ]
        return _surest(np.concatenate(rows), confidence)

    def _network(self, shape: tuple[int, ...]) -> openvino.InferRequest:
        self._asked[shape] += 1
        if self._asked[shape] == MANY:
            model = self._model.clone()
            model.reshape([1, *shape])
            self._of_size[shape] = _compiled(model)
        return self._of_size.get(shape, self._of_any_size)


def _compiled(model: openvino.Model) -> openvino.InferRequest:
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    return compiled(model, hints).create_infer_request()


def of_pictures(path: str | Path) -> "openvino.Model":
    """The network, of RGB uint8 images with any sides that 32 divides: as OpenCV's networks, it was trained on BGR."""
    onnx = openvino.frontend.FrontEndManager().load_by_framework("onnx")  # others tell at length what they can't read
    model = onnx.convert(onnx.load(str(path)))
    model.reshape([1, 3, -1, -1])
    steps = openvino.preprocess.PrePostProcessor(model)
    pictures, to = steps.input(), openvino.preprocess.ColorFormat
    pictures.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(to.RGB)
    pictures.model().set_layout(openvino.Layout("NCHW"))
    pictures.preprocess().convert_element_type(openvino.Type.f32).convert_color(to.BGR)
    return steps.build()


def _faces(outputs: Sequence[np.ndarray], stride: int, columns: int, confidence: float) -> np.ndarray:
    """Faces `(n, 15)` of the places of one stride, in rows of so many, as `postProcess` of OpenCV's face_detect.cpp."""
    cls, obj, bbox, kps = outputs
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    places = np.flatnonzero(scores >= confidence)
    at = np.column_stack(np.divmod(places, columns)[::-1]).astype(np.float32)
    sides = np.exp(bbox[places, 2:]) * stride
    corners = (at + bbox[places, :2]) * stride - sides / 2
    landmarks = (kps[places] + np.tile(at, 5)) * stride
    return np.column_stack((corners, sides, landmarks, scores[places])).astype(np.float32)


def _surest(rows: np.ndarray, confidence: float) -> np.ndarray:
    """Faces without those that lie on a surer one; boxes count as OpenCV has it, cut to whole pixels."""
    if len(rows) < 2:
        return rows
    boxes = rows[:, :4].astype(int).astype(float)
    return rows[cv2.dnn.NMSBoxes(boxes.tolist(), rows[:, 14].tolist(), confidence, OVERLAP, top_k=MOST)]
