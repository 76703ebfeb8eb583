import sys
from io import BytesIO
from struct import pack

import pytest
from PIL import Image

from aiface.provenance.claims import NOT_LOOKED_FOR, UNCHECKED, Credentials, read_provenance
from aiface.provenance.manifests import BOX, read_manifest

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def text(words):
    data = words.encode()
    return (bytes([0x60 + len(data)]) if len(data) < 24 else b"\x78" + bytes([len(data)])) + data


# as CBOR: what follows a text may be a letter, such as the `m` that begins a text of 13
MODEL = text("softwareAgent") + b"\xa1" + text("name") + text("GPT-4o")
DALL_E = (text("claim_generator_info") + b"\xa1" + text("name") + text("ChatGPT") + text("action")
          + text("c2pa.created") + MODEL + text("digitalSourceType") + text(TRAINED) + MODEL)  # fmt: skip
FIREFLY = text("claim_generator") + text("Adobe_Firefly") + b'{"digitalSourceType":"' + TRAINED.encode() + b'"}'
PHOTO = text("claim_generator") + text("Leica") + text("digitalSourceType") + text(TRAINED[:-23] + "digitalCapture")


def encoded(form):
    file = BytesIO()
    Image.new("RGB", (20, 20)).save(file, form)
    return file.getvalue()


def jpeg(manifest):
    head, rest = encoded("JPEG")[:2], encoded("JPEG")[2:]
    box = pack(">I4s", len(manifest) + 8, b"jumb")
    half = len(manifest) // 2
    parts = [b"JP\0\1" + pack(">I", 1) + box + manifest[:half], b"JP\0\1" + pack(">I", 2) + box + manifest[half:]]
    return head + b"".join(b"\xff\xeb" + pack(">H", len(part) + 2) + part for part in parts) + rest


def png(manifest):
    found = encoded("PNG")
    return found[:33] + pack(">I", len(manifest)) + b"caBX" + manifest + bytes(4) + found[33:]


def webp(manifest):
    return encoded("WEBP") + b"C2PA" + pack("<I", len(manifest)) + manifest


def mp4(manifest):
    box = pack(">I", len(manifest) + 24) + b"uuid" + BOX + manifest
    return b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\1free" + pack(">Q", 16) + box


@pytest.mark.parametrize("hide", [jpeg, png, webp, mp4])
@pytest.mark.parametrize(
    ("manifest", "generator", "told"),
    [(DALL_E, "ChatGPT", ("trainedAlgorithmicMedia", "GPT-4o")),
     (FIREFLY, "Adobe_Firefly", ("trainedAlgorithmicMedia",)),
     (PHOTO, "Leica", ("digitalCapture",)), (b"jumb" + bytes(40), "", ())],
)  # fmt: skip
def test_what_a_manifest_says(tmp_path, monkeypatch, hide, manifest, generator, told):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    (tmp_path / "a").write_bytes(hide(manifest))
    found = read_provenance(tmp_path / "a")
    assert found.c2pa == Credentials(True, UNCHECKED, generator, actions=told)
    assert ("C2PA action: trainedAlgorithmicMedia" in found.says_generated) is (
        told[:1] == ("trainedAlgorithmicMedia",)
    )


@pytest.mark.parametrize(
    "content",
    [b"", encoded("JPEG"), encoded("PNG"), encoded("WEBP"), jpeg(DALL_E)[:9], b"RIFF" + bytes(20), mp4(DALL_E)[:40],
     b"\0\0\0\0ftyp" + bytes(40), b"\xff\xd8\xff\xeb\0\0", DALL_E],
)  # fmt: skip
def test_where_there_is_none(tmp_path, monkeypatch, content):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    (tmp_path / "a").write_bytes(content)
    assert read_manifest(tmp_path / "a") is None
    assert read_provenance(tmp_path / "a").c2pa == Credentials(None, NOT_LOOKED_FOR)


def test_a_text_that_is_cut_short(tmp_path):
    (tmp_path / "a").write_bytes(png(text("softwareAgent") + b"\x78"))
    assert read_manifest(tmp_path / "a") == ("", ())
