import numpy as np
import pytest
from PIL import Image

from aiface.audit.file_traits import jpeg_quality


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 75, 90, 99])
@pytest.mark.parametrize("suffix", ["JPEG", "MPO"])
def test_jpeg_quality_is_what_the_picture_was_saved_at(tmp_path, quality, suffix):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(path, suffix, quality=quality)
    with Image.open(path) as image:
        assert jpeg_quality(image.quantization[0]) == quality
