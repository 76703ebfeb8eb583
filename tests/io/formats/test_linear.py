import cv2
import numpy as np
import pytest

from aiface.errors import DataError
from aiface.io.formats.linear import as_seen
from aiface.io.images import read_image
from aiface.io.media_kinds import IMAGE, kind

SHADES = np.repeat(np.linspace(8, 248, 64, dtype=np.uint8)[None, :, None], 48, 0) // np.array([1, 2, 4], np.uint8)


@pytest.mark.parametrize("suffix", [".hdr", ".pfm"])
@pytest.mark.parametrize("brightness", [1.0, 1000.0, 1e-3])
def test_light_is_shown_as_a_screen_would(tmp_path, suffix, brightness):
    light = brightness * (SHADES / 255.0) ** 2.2
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), light[..., ::-1].astype(np.float32))
    path = (tmp_path / f"a{suffix}").rename(tmp_path / "a.mp4")
    assert kind(path) == IMAGE
    assert np.abs(read_image(path).astype(int) - SHADES * (255 / 248)).max() < 6


def test_grey_light_and_what_is_no_number():
    light = np.array([[0.0, 0.25, 1.0, np.nan, np.inf, -1.0]])
    assert as_seen(light).tolist() == [[0, 137, 255, 0, 0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 4\n", "expected a whole image, found a damaged one"),
        (b"#?RADIANCE\n\n-Y 40000 +X 40000\n" + bytes(99), "at most 201 megapixels, found 40000x40000"),
        (b"PF\n4 4\n-1.0\n" + bytes(9), "expected a whole image, found a damaged one"),
        (b"#?RADIANCE\nno size", "expected an image, found 18 bytes that are none"),
    ],
)
def test_what_cant_be_read_is_named(tmp_path, content, message):
    (tmp_path / "a.hdr").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "a.hdr")
