import datetime
import io
import json
import subprocess
import sys
from dataclasses import asdict

import av
import numpy as np
import pytest
from marked import TRAINED, save, xmp
from PIL.ExifTags import Base

from aiface.errors import DataError
from aiface.paths import ROOT
from aiface.provenance.claims import (
    ABSENCE,
    CLAIMS,
    EXCERPT,
    NOT_LOOKED_FOR,
    SHOWN,
    STATES,
    Credentials,
    _credentials,
    read_credentials,
    read_provenance,
)
from aiface.provenance.manifests import read_manifest

SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".tif": "image/tiff"}
WEB_UI = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
COMFY_UI = '{"3": {"inputs": {"seed": 1}, "class_type": "KSampler"}}'


# What says that it was generated, and what does not


@pytest.mark.parametrize(
    ("suffix", "written", "finding"),
    [
        ("jpg", {"exif": {Base.Software: "Midjourney v6"}}, "EXIF Software: Midjourney v6"),
        ("jpg", {"exif": {Base.Software: "NovelAI"}}, "EXIF Software: NovelAI"),
        ("jpg", {"exif": {Base.ImageDescription: "cat --v 6 Job ID: 12345678-1234-1234-1234-123456789abc"}},
         "EXIF ImageDescription: cat --v 6 Job ID: 12345678-1234-1234-1234-123456789abc"),
        ("jpg", {"exif": {Base.UserComment: b"UNICODE\0" + WEB_UI.encode("utf-16-be")}},
         "EXIF UserComment: a cat Negative prompt: dog Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"),
        ("webp", {"exif": {Base.Make: f"prompt:{COMFY_UI}"}}, f"EXIF Make: prompt:{COMFY_UI}"),
        ("png", {"text": {"parameters": WEB_UI}},
         "text parameters: a cat Negative prompt: dog Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"),
        ("png", {"text": {"prompt": COMFY_UI}}, f"text prompt: {COMFY_UI}"),
        ("png", {"text": {"Software": "NovelAI"}}, "text Software: NovelAI"),
        ("png", {"text": {"workflow": '{"nodes": [{"id": 4, "type": "KSampler"}]}'}},
         'text workflow: {"nodes": [{"id": 4, "type": "KSampler"}]}'),
        ("png", {"text": {"workflow": '{"id":"x","revision":0,"nodes":[{"id":4}]}'}},
         'text workflow: {"id":"x","revision":0,"nodes":[{"id":4}]}'),
        ("jpg", {"exif": {Base.ImageDescription: 'Workflow: {"nodes": []}'}},
         'EXIF ImageDescription: Workflow: {"nodes": []}'),
        ("png", {"text": {"invokeai_workflow": "{}", "parameters": "x"}}, None),
        ("png", {"text": {"invokeai_workflow": '{"name": ""}'}}, 'text invokeai_workflow: {"name": ""}'),
        ("png", {"text": {"Comment": '{"steps": 28, "signed_hash": "x"}'}},
         'text Comment: {"steps": 28, "signed_hash": "x"}'),
        ("png", {"text": {"parameters": '{"base_model": "x", "base_model_hash": "y"}'}},
         'text parameters: {"base_model": "x", "base_model_hash": "y"}'),
        ("png", {"text": {"generation_data": '{"models":[]}'}}, 'text generation_data: {"models":[]}'),
        ("jpg", {"packet": xmp("xmp:CreatorTool='Draw Things'")}, "XMP CreatorTool: Draw Things"),
        ("jpg", {"packet": xmp("photoshop:Credit='Apple Image Playground'")}, "XMP Credit: Apple Image Playground"),
        ("png", {"text": {"workflow": '{"steps": ["crop", "nodes"]}'}}, None),
        ("png", {"text": {"invokeai_metadata": "{}", "Dream": "cat -s 50"}}, "text Dream: cat -s 50"),
        ("png", {"text": {"AIGC": '{"Label":"1","ContentProducer":"x"}'}},
         'text AIGC: {"Label":"1","ContentProducer":"x"}'),
        ("jpg", {"packet": xmp("xmp:CreatorTool='Adobe Firefly'")}, "XMP CreatorTool: Adobe Firefly"),
        ("jpg", {"packet": xmp("photoshop:Credit='Made with Google AI'")}, "XMP Credit: Made with Google AI"),
        ("jpg", {"packet": xmp("ext:AISystemUsed='Some Model'")}, "XMP AISystemUsed: Some Model"),
        ("png", {"packet": xmp(f"ext:DigitalSourceType='{TRAINED}'")}, f"XMP DigitalSourceType: {TRAINED}"),
        ("webp", {"packet": xmp("", f"<ext:DigitalSourceType>{SOURCES}compositeWithTrainedAlgorithmicMedia"
                                    "</ext:DigitalSourceType>")},
         f"XMP DigitalSourceType: {SOURCES}compositeWithTrainedAlgorithmicMedia"),
        ("jpg", {"comment": "An AI-generated portrait"}, "text comment: An AI-generated portrait"),
        ("jpg", {"comment": "Created with DALL·E"}, "text comment: Created with DALL·E"),
        # and these say nothing of the kind
        ("jpg", {}, None),
        ("jpg", {"exif": {Base.Make: "Canon", Base.Model: "EOS R5", Base.Software: "Adobe Photoshop 26.1"}}, None),
        ("jpg", {"exif": {Base.Artist: "Sora Luma", Base.Copyright: "Midjourney Street Photography"}}, None),
        ("jpg", {"exif": {Base.ImageDescription: "A runway in Sora, with a flux of passengers"}}, None),
        ("jpg", {"comment": "This is not AI-generated"}, None),
        ("jpg", {"comment": "non-AI-generated"}, None),
        ("jpg", {"comment": "Next Steps: 20, then lunch"}, None),
        ("jpg", {"packet": xmp(f"ext:DigitalSourceType='{SOURCES}digitalCapture'")}, None),
        ("jpg", {"packet": xmp(f"ext:DigitalSourceType='{SOURCES}algorithmicMedia'")}, None),  # fractals, not AI
        ("png", {"text": {"Title": "prompt", "prompt": "Say cheese", "parameters": "f/8"}}, None),
        ("png", {"text": {"AIGC": '{"Label":"0"}'}}, None),
    ],
)  # fmt: skip
def test_what_a_picture_claims(tmp_path, suffix, written, finding):
    found = read_provenance(save(tmp_path, suffix, **written)).says_generated
    assert found[-1:] == ((finding,) if finding else ())


@pytest.mark.parametrize(
    ("where", "tags", "finding"),
    [
        ("container", {"comment": "made with AI"}, "container comment: made with AI"),
        ("container", {"comment": "Made with Runway Gen-3"}, "container comment: Made with Runway Gen-3"),
        (
            "container",
            {"prompt": '{"3": {"class_type": "KSampler"}}'},
            'container prompt: {"3": {"class_type": "KSampler"}}',
        ),
        ("container", {"comment": COMFY_UI}, f"container comment: {COMFY_UI}"),
        ("container", {"AIGC": '{"Label":"1"}'}, 'container aigc: {"Label":"1"}'),
        ("video", {"handler_name": "Runway Gen-4"}, "video handler_name: Runway Gen-4"),
        ("container", {"title": "Runway", "comment": "filmed in Luma"}, None),
        ("video", {"handler_name": "VideoHandler"}, None),
    ],
)
def test_what_a_video_claims(tmp_path, where, tags, finding):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        (container if where == "container" else stream).metadata.update(tags)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    found = read_provenance(path)
    assert found.says_generated == ((finding,) if finding else ())
    assert found.tags["container major_brand"] == "isom"


def test_a_long_claim_is_quoted_where_it_is_made(tmp_path):
    prompt = "a cat on a mat " * 100
    found = read_provenance(save(tmp_path, text={"parameters": f"{prompt}\nSteps: 20, Sampler: Euler a, Seed: 1"}))
    assert found.says_generated == ("text parameters: ... Steps: 20, Sampler: Euler a, Seed: 1",)
    assert len(found.tags["text parameters"]) == SHOWN


def test_a_claim_can_not_grow_or_steer_a_page(tmp_path):
    nasty = "Midjourney \x1b[2J\u202e<script>alert(1)</script>" + "x" * 5000
    (finding,) = read_provenance(save(tmp_path, "jpg", exif={Base.Software: nasty.encode()})).says_generated
    assert len(finding) <= len("EXIF Software: ") + EXCERPT
    assert finding.isprintable()
    assert "<script>" in finding  # plain text: who writes HTML escapes it


@pytest.mark.parametrize("text", ["Steps: 1, " * 2000, "label " * 3000, "made by " * 2500, "Job ID: 12345678-" * 1000])
def test_patterns_stay_quick_on_text_made_to_slow_them(tmp_path, text):
    assert read_provenance(save(tmp_path, text={"parameters": text, "AIGC": text})).says_generated == ()


@pytest.mark.parametrize("content", [b"", b"hello " * 500, b"\xff\xd8\xff\xe1\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_file_has_empty_fields(tmp_path, content):
    (tmp_path / "file.jpg").write_bytes(content)
    found = read_provenance(tmp_path / "file.jpg")
    assert (found.tags, found.says_generated) == ({}, ())
    assert not found.c2pa.found


def test_a_file_that_does_not_open_is_named(tmp_path):
    with pytest.raises(DataError, match=r"missing\.jpg: expected a file, found none that opens"):
        read_provenance(tmp_path / "missing.jpg")


def test_it_goes_into_json(tmp_path):
    found = read_provenance(save(tmp_path, "jpg", exif={Base.Software: "Midjourney"}, packet=xmp()))
    row = json.loads(json.dumps(asdict(found)))
    assert row["says_generated"] == ["EXIF Software: Midjourney"]
    assert row["tags"] == {"EXIF Software": "Midjourney", "XMP CreatorTool": "Some Tool 3"}
    assert set(row["c2pa"]) == set(Credentials.__dataclass_fields__)


def test_the_words_that_go_with_it():
    assert "proves nothing" in ABSENCE
    assert "removed or forged" in ABSENCE
    assert all(claim.tags and claim.text and claim.source for claim in CLAIMS)


# Content credentials


def test_without_c2pa_python_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    found = read_provenance(save(tmp_path, "jpg", exif={Base.Software: "Midjourney"}))
    assert found.c2pa == Credentials(None, NOT_LOOKED_FOR)
    assert "pip install 'aiface[provenance]'" in found.c2pa.note
    assert found.says_generated == ("EXIF Software: Midjourney",)


def manifest(action="c2pa.created", kind="trainedAlgorithmicMedia", agent="Some Model"):
    """A manifest store as c2pa-python gives it."""
    actions = {"actions": [{"action": action, "digitalSourceType": SOURCES + kind, "softwareAgent": agent}]}
    return {
        "claim_generator_info": [{"name": "Some Tool", "version": "1.0"}],
        "title": "a face",
        "assertions": [{"label": "c2pa.actions.v2", "data": actions}, {"label": "c2pa.hash.data", "data": {}}],
        "signature_info": {"issuer": "Some Firm", "common_name": "Some Signer"},
    }


def test_what_a_manifest_store_says():
    edited = manifest("c2pa.opened", "digitalCapture", {"name": "Editor"})
    problem = {"code": "assertion.dataHash.mismatch", "explanation": "data hash\x00 mismatch"}
    untrusted = {"code": "signingCredential.untrusted"}
    found = _credentials({
        "active_manifest": "b", "manifests": {"a": manifest(), "b": edited}, "validation_state": "Invalid",
        "validation_status": [untrusted, problem],
    })  # fmt: skip
    assert found == Credentials(
        True, STATES["Invalid"], "Some Tool 1.0", "a face", "Some Signer, Some Firm",
        ("c2pa.opened, digitalCapture, Editor", "c2pa.created, trainedAlgorithmicMedia, Some Model"),
        "Invalid", ("assertion.dataHash.mismatch: data hash mismatch",),
    )  # fmt: skip


def test_a_manifest_store_may_be_bare():
    found = _credentials({"active_manifest": "a", "manifests": {"a": {"claim_generator": "old/1"}}})
    assert found == Credentials(True, "found, but not validated", generator="old/1")


@pytest.fixture(scope="module")
def sign():
    """`sign(content, suffix, kind)`: an image with a C2PA manifest, signed by a certificate made for the tests."""
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python, the extra `provenance`, is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def certificate(subject, key, issuer, issuer_key, authority):
        """As the C2PA specification's certificate profile wants them."""
        names = [
            x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Tests"),
                       x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
            for name in (subject, issuer)
        ]  # fmt: skip
        now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        made = (
            x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
            .add_extension(usage, True)
        )
        if not authority:
            made = made.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = certificate("signer", key, "root", root, False) + certificate("root", root, "root", root, True)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    def make(path, action="c2pa.created", kind="trainedAlgorithmicMedia"):
        data = {
            "actions": [{"action": action, "digitalSourceType": SOURCES + kind, "softwareAgent": {"name": "Model"}}]
        }
        about = {"claim_generator_info": [{"name": "Some Tool", "version": "1.0"}], "title": "a \u202eface",
                 "assertions": [{"label": "c2pa.actions.v2", "data": data}]}  # fmt: skip
        signed = io.BytesIO()
        info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=secret, ta_url=None)
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(about) as builder, open(path, "rb") as source:
            builder.sign(signer, MEDIA_TYPES[path.suffix], source, signed)
        path.write_bytes(signed.getvalue())
        return path

    return make


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_signed_picture(tmp_path, sign, suffix):
    found = read_provenance(sign(save(tmp_path, suffix)))
    action = "c2pa.created, trainedAlgorithmicMedia, Model"
    assert found.c2pa == Credentials(
        True, STATES["Valid"], "Some Tool 1.0", "a face", "signer, Tests", (action,), "Valid", ()
    )
    assert found.says_generated == (f"C2PA action: {action}",)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_signed_picture_says_the_same_unchecked(tmp_path, sign, suffix):
    assert read_manifest(sign(save(tmp_path, suffix))) == ("Some Tool", ("trainedAlgorithmicMedia", "Model"))


def test_a_picture_changed_after_it_was_signed(tmp_path, sign):
    path = sign(save(tmp_path, "jpg"))
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    found = read_provenance(path)
    assert (found.c2pa.state, found.c2pa.note) == ("Invalid", STATES["Invalid"])
    assert any(problem.startswith("assertion.dataHash.mismatch") for problem in found.c2pa.problems)
    (finding,) = found.says_generated
    assert finding.endswith("trainedAlgorithmicMedia, Model (but its signature does not hold)")


def test_a_signed_photo_claims_nothing(tmp_path, sign):
    found = read_provenance(sign(save(tmp_path, "jpg"), kind="digitalCapture"))
    assert found.c2pa.actions == ("c2pa.created, digitalCapture, Model",)
    assert found.says_generated == ()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_no_manifest(tmp_path, sign, suffix):
    assert read_credentials(save(tmp_path, suffix)) == Credentials(False, "none found")


def test_a_signed_picture_that_is_cut_off(tmp_path, sign):
    path = sign(save(tmp_path, "jpg"))
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 12):
        path.write_bytes(whole[:length])
        found = read_credentials(path)
        assert found.state in ("", "Invalid")
        assert found.note


def test_a_manifest_elsewhere_is_not_fetched(tmp_path, sign):
    """XMP may name a manifest on a server, which would so learn who looks at the picture."""
    import http.server
    import threading

    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    elsewhere = f"http://127.0.0.1:{server.server_port}/manifest.c2pa"
    packet = xmp(f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{elsewhere}"')
    found = read_credentials(save(tmp_path, "jpg", packet=packet))
    server.shutdown()
    server.server_close()
    assert asked == []
    assert found.found is False
    assert elsewhere in found.note  # but that there should be one is told


# What it costs


def test_neither_c2pa_nor_keras_is_imported_for_its_import():
    code = "import sys, aiface.provenance.claims; print({'c2pa', 'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.strip() == "set()"
