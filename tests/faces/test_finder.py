import subprocess
import sys

import cv2
import numpy as np
import pytest
from scene import NOBODY

from aiface.errors import ModelError
from aiface.faces import finder as finder_module
from aiface.faces.finder import YUNET_FILE, Face, FaceFinder, Mtcnn, OpenCvYuNet, YuNet, load_finder
from aiface.paths import ROOT, WEIGHTS

needs_yunet = pytest.mark.skipif(
    not (WEIGHTS / YUNET_FILE).is_file(), reason="YuNet is not in weights/; ./fetch.sh faces brings it"
)


@pytest.fixture(scope="module")
def mtcnn():
    return FaceFinder(Mtcnn())


@pytest.fixture(params=[pytest.param("YuNet", marks=needs_yunet), "MTCNN"])
def each_finder(request, mtcnn):
    return mtcnn if request.param == "MTCNN" else load_finder()


def landmark_error(found, expected):
    """Largest distance of a landmark, in shares of the distance between the eyes."""
    distances = np.hypot(*(found.landmarks - expected.landmarks).T)
    return distances.max() / np.hypot(*(expected.landmarks[1] - expected.landmarks[0]))


def placed(image, height, width, x, y, scale):
    """The image, scaled, with its top left corner at x, y of a grey frame."""
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    frame = np.full((height, width, 3), 110, np.uint8)
    left, top = max(0, x), max(0, y)
    part = small[top - y : height - y, left - x : width - x]
    frame[top : top + part.shape[0], left : left + part.shape[1]] = part
    return frame


# The finders


def test_a_face_where_it_is(each_finder, astronaut, face):
    (found,) = each_finder(astronaut)
    assert landmark_error(found, face) < 0.12  # the two finders differ by that much
    assert np.abs(np.subtract(found.box, face.box)).max() < 15
    assert 0.7 <= found.score <= 1
    assert found.landmarks.dtype == np.float32
    assert found.landmarks.shape == (5, 2)
    assert all(type(value) is float for value in (*found.box, found.score))


@needs_yunet
def test_the_fixture_is_what_yunet_finds(finder, astronaut, face):
    (found,) = finder(astronaut)
    assert finder.name == "YuNet"
    assert landmark_error(found, face) < 0.02


@pytest.mark.parametrize("mirrored", [False, True])
def test_landmarks_in_the_order_of_the_contract(each_finder, astronaut, mirrored):
    """The subject's right is left in the image, also in a mirrored one."""
    (found,) = each_finder(np.ascontiguousarray(astronaut[:, ::-1]) if mirrored else astronaut)
    right_eye, left_eye, nose, right_mouth, left_mouth = found.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < nose[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    x, y, width, height = found.box
    assert ((found.landmarks > (x, y)) & (found.landmarks < (x + width, y + height))).all()


@pytest.mark.parametrize(
    ("height", "width", "x", "y", "scale", "tolerance"),
    [
        (512, 512, 0, 0, 1.0, 0.12),
        (480, 640, 60, 20, 0.9, 0.15),
        (1080, 1920, 300, 0, 7.0, 0.25),  # the face fills the frame: 790 px high
        (1080, 1920, 1000, 300, 1.0, 0.25),
        (1080, 1920, 1400, 500, 0.6, 0.25),  # 70 px in a large frame
        (2160, 3840, 200, 200, 3.0, 0.15),
        (300, 200, -120, -30, 1.0, 0.2),  # upright frame
        (300, 400, -195, -40, 1.0, 0.35),  # cut off at the left
        (200, 200, -100, -75, 1.0, 0.35),  # cut off at the top
    ],
)
def test_any_size_and_place(finder, astronaut, face, height, width, x, y, scale, tolerance):
    if scale == 7.0:
        astronaut, face = astronaut[40:190, 130:310], face.moved(1, -130, -40)
    image = placed(astronaut, height, width, x, y, scale)
    found = finder(image)
    assert len(found) == 1 or finder.name == "MTCNN"  # which sees a smaller one in the background
    assert landmark_error(found[0], face.moved(scale, x, y)) < tolerance


def test_a_tight_tile(finder, astronaut, face):
    """A picture that is cut round the face has no context: the mirrored border is made for it."""
    found = finder(np.ascontiguousarray(astronaut[70:166, 178:266]))
    assert len(found) == 1
    assert landmark_error(found[0], face.moved(1, -178, -70)) < 0.35


def test_two_faces_largest_first(finder, astronaut, face):
    image = placed(astronaut, 600, 1000, 560, 40, 0.8)
    image[:512, :512] = astronaut
    found = finder(image)
    assert len(found) == 2
    assert landmark_error(found[0], face) < 0.15
    assert landmark_error(found[1], face.moved(0.8, 560, 40)) < 0.25


@pytest.mark.parametrize("image", NOBODY.values(), ids=NOBODY)
def test_no_face(each_finder, image):
    assert each_finder(image) == []


def test_the_image_stays_as_it_is(each_finder, astronaut):
    image = astronaut.copy()
    each_finder(image)
    np.testing.assert_array_equal(image, astronaut)


# Scaling, with a detector that says where it is shown a red square


class RedSquare:
    name = "red"

    def __init__(self):
        self.seen = []

    def detect(self, image):
        self.seen.append(image.shape[:2])
        rows, columns = np.nonzero((image[..., 0] > 200) & (image[..., 2] < 50))
        if not len(rows) or np.ptp(rows) > 300:  # YuNet sees no larger faces either
            return []
        left, top = columns.min(), rows.min()
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        corners = np.float32([(left, top)] * 5)
        return [Face((float(left), float(top), float(width), float(height)), corners, 1.0)]


def red_square(height, width, x, y, side):
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = (255, 0, 0)
    return image


@pytest.mark.parametrize(
    ("height", "width", "x", "y", "side", "looks"),
    [
        (480, 640, 100, 50, 60, [(480, 640)]),  # not scaled
        (300, 200, 100, 50, 60, [(300, 200)]),  # never enlarged
        (1080, 1920, 900, 300, 120, [(360, 640)]),
        (1920, 1080, 300, 900, 120, [(640, 360)]),
        (1080, 1920, 300, 30, 1020, [(360, 640), (180, 320)]),  # too large at first
    ],
)
def test_coordinates_are_those_of_the_frame(height, width, x, y, side, looks):
    detector = RedSquare()
    (found,) = FaceFinder(detector)(red_square(height, width, x, y, side))
    scale = max(1, max(height, width) / looks[-1][looks[-1][1] > looks[-1][0]])
    assert found.box == pytest.approx((x, y, side, side), abs=1.5 * scale)
    assert found.landmarks[0] == pytest.approx((x, y), abs=1.5 * scale)
    assert detector.seen == looks


def test_no_face_costs_three_looks():
    detector = RedSquare()
    assert FaceFinder(detector)(np.zeros((320, 320, 3), np.uint8)) == []
    assert detector.seen == [(320, 320), (320, 320), (480, 480)]  # the last with a mirrored border


def test_a_face_in_the_mirrored_border_is_none():
    class InBorder(RedSquare):
        def detect(self, image):
            return [Face((0.0, 0.0, 20.0, 20.0), np.zeros((5, 2), np.float32), 1.0)]

    assert len(FaceFinder(InBorder())(np.zeros((100, 100, 3), np.uint8))) == 1
    finder = FaceFinder(InBorder())
    assert finder.look(np.zeros((100, 100, 3), np.uint8), 320, 0.25) == []


# Faces


def test_moved():
    face = Face((10.0, 20.0, 30.0, 40.0), np.float32([[1, 2]] * 5), 0.9)
    moved = face.moved(2.0, 5.0, -1.0)
    assert moved.box == (25.0, 39.0, 60.0, 80.0)
    np.testing.assert_array_equal(moved.landmarks, np.float32([[7, 3]] * 5))
    assert moved.landmarks.dtype == np.float32
    assert (moved.score, moved.area, face.area) == (0.9, 4800.0, 1200.0)


# RGB and BGR


@needs_yunet
def test_yunet_gets_bgr():
    """OpenCV's networks are trained on BGR: red comes last."""

    class Spy:
        def setInputSize(self, size):
            self.size = size

        def setScoreThreshold(self, confidence):
            self.confidence = confidence

        def detect(self, image):
            self.image = image
            return 0, None

    network = OpenCvYuNet(WEIGHTS / YUNET_FILE)
    network._net = spy = Spy()
    assert network(np.full((20, 30, 3), (255, 10, 0), np.uint8), 0.5).shape == (0, 15)
    assert (spy.size, spy.confidence) == ((30, 20), 0.5)
    assert spy.image[0, 0].tolist() == [0, 10, 255]


def test_mtcnn_gets_rgb(mtcnn, monkeypatch):
    seen = []
    monkeypatch.setattr(mtcnn._detector._net, "detect_faces", lambda image: seen.append(image))
    assert mtcnn._detector.detect(np.full((20, 30, 3), (255, 10, 0), np.uint8)) == []
    assert seen[0][0, 0].tolist() == [255, 10, 0]


@pytest.mark.parametrize(("confidence", "count"), [(0.94, 0), (0.96, 1)])
def test_unsure_faces_are_left_out(mtcnn, monkeypatch, confidence, count):
    parts = dict.fromkeys(("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"), (1, 2))
    found = [{"box": [1, 2, 3, 4], "keypoints": parts, "confidence": confidence}]
    monkeypatch.setattr(mtcnn._detector._net, "detect_faces", lambda image: found)
    assert len(mtcnn._detector.detect(np.zeros((20, 30, 3), np.uint8))) == count


# Loading


@pytest.mark.parametrize("say", ["function", "stderr"])
def test_mtcnn_when_yunet_was_not_fetched(tmp_path, capsys, monkeypatch, say):
    monkeypatch.setattr(finder_module, "Mtcnn", lambda: type("Net", (), {"name": "MTCNN"})())
    lines = []
    finder = load_finder(tmp_path, lines.append) if say == "function" else load_finder(tmp_path)
    printed = capsys.readouterr()
    (line,) = lines or printed.err.splitlines()
    assert finder.name == "MTCNN"
    assert printed.out == ""
    for part in (f"{tmp_path / YUNET_FILE} is not there", "15 times slower", "./fetch.sh faces", "--from FOLDER"):
        assert part in line
    if say == "stderr":
        load_finder(tmp_path)
        assert capsys.readouterr().err == ""  # it was said once


@needs_yunet
def test_yunet_says_nothing(capfd):
    lines = []
    assert load_finder(say=lines.append).name == "YuNet"
    assert (lines, *capfd.readouterr()) == ([], "", "")


@pytest.mark.parametrize("content", [b"", b"no network\n", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_wrong_yunet_file(tmp_path, capfd, content):
    (tmp_path / YUNET_FILE).write_bytes(content)
    with pytest.raises(ModelError, match=r"expected the YuNet network.*delete it and run \./fetch\.sh faces") as caught:
        load_finder(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / YUNET_FILE))
    assert capfd.readouterr().err == ""


def missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "aiface.faces.openvino_import", raising=False)
    monkeypatch.delitem(sys.modules, "aiface.faces.yunet", raising=False)


def unable_to_read(monkeypatch):
    def fail(path):
        raise RuntimeError("no such operation")

    monkeypatch.setattr("aiface.faces.yunet.of_pictures", fail)


@needs_yunet
@pytest.mark.parametrize(("fail", "reason"), [(missing, "openvino"), (unable_to_read, "no such operation")])
def test_opencv_where_openvino_cannot_be_had(monkeypatch, capfd, astronaut, face, fail, reason):
    fail(monkeypatch)
    lines = []
    finder = load_finder(say=lines.append)
    (found,) = finder(astronaut)
    assert finder.name == "YuNet"
    assert isinstance(finder._detector._net, OpenCvYuNet)
    assert landmark_error(found, face) < 0.02
    (line,) = lines
    assert line.startswith("aiface: OpenVINO can't be used (")
    assert reason in line
    assert line.endswith("; YuNet runs through OpenCV, slower")
    assert capfd.readouterr().err == ""


def test_a_missing_yunet_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx: expected the YuNet file, found none; run \./fetch\.sh faces"):
        YuNet(tmp_path / "none.onnx")


def test_neither_finder(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mtcnn", None)  # what a missing package looks like
    with pytest.raises(ModelError, match=rf"expected {YUNET_FILE} in weights/ or the mtcnn package.*fetch\.sh faces"):
        load_finder(tmp_path, say=lambda line: None)


def test_yunet_needs_no_tensorflow():
    code = (
        "import sys, aiface.faces.finder, aiface.faces.crop; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.split() == ["False", "False"]
