import pytest
from animations import FORMS, animation, plain
from PIL import Image

from aiface.io.animations import is_animated
from aiface.io.media_kinds import IMAGE, VIDEO, kind

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("count", "animated"), [(1, False), (2, True), (3, True)])
def test_more_than_one_frame(tmp_path, form, count, animated):
    path = animation(tmp_path / "a.jpg", plain(*COLOURS[:count]), 100, form)
    assert is_animated(path) is animated
    assert kind(path) == (VIDEO if animated else IMAGE)


@pytest.mark.parametrize(
    ("form", "options"),
    [("GIF", {"comment": b"c" * 1000, "loop": 0}), ("GIF", {"optimize": True, "disposal": 2}), ("PNG", {"loop": 1}),
     ("PNG", {"default_image": True}), ("WEBP", {"lossless": True, "exif": b"Exif\0\0" + bytes(20)}),
     ("WEBP", {"loop": 3, "icc_profile": b"odd"})],
)  # fmt: skip
@pytest.mark.parametrize(("count", "animated"), [(1, False), (3, True)])
def test_with_what_else_may_stand_there(tmp_path, form, options, count, animated):
    images = plain(*COLOURS[:count])
    assert is_animated(animation(tmp_path / "a", images, 100, form, **options)) is animated


@pytest.mark.parametrize("form", ["BMP", "JPEG", "JPEG2000", "TIFF", "MPO"])
def test_other_pictures_never_move(tmp_path, form):
    several = {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]} if form in ("TIFF", "MPO") else {}
    Image.new("RGB", (64, 48), COLOURS[0]).save(tmp_path / "a", form, **several)
    assert not is_animated(tmp_path / "a")


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_one_is_looked_into_without_an_error(tmp_path, form):
    content = animation(tmp_path / "a", plain(*COLOURS), 100, form).read_bytes()
    found = []
    for end in range(0, len(content), 7):
        (tmp_path / "b").write_bytes(content[:end])
        found.append(is_animated(tmp_path / "b"))
    assert found == sorted(found)  # once there is a second frame, there is
    assert (found[0], found[-1]) == (False, True)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"GIF89a" + b"\xff" * 99, b"\x89PNG", b"RIFF\xff\xff\xff\xffWEBP",
                                     b"RIFF\0\0\0\0WEBP" + b"\xff" * 99, b"\0\0\0\0ftypavif", b"text"])  # fmt: skip
def test_what_is_none(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert not is_animated(tmp_path / "a")


def test_a_missing_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        is_animated(tmp_path / "missing.gif")
