import tarfile
import warnings
import zipfile

import pytest

from aiface.errors import DataError, ModelError
from aiface.io import unzip
from aiface.io.unzip import main, unpack
from aiface.models import vetting
from benchmarks.soak.archives import ARCHIVES, HARMLESS, NETWORKS, fault, layer, many, network, write_zip

ARCHIVE_REASONS = {
    "a path upwards": "outside", "a path upwards within": "outside", "an absolute path": "outside",
    "a Windows path": "in another way", "backslashes": "in another way", "a symbolic link": "a link",
    "a hard link": "a link or a device",
    "a link, then a file through it": "a link", "the same name twice": "'a' and 'a'",
    "names that differ in case": "'Real/a' and 'real/A'", "names that differ in their accents' form": "one part for",
    "a file where a folder is": "'a/b' below a file", "a bomb": "a bomb of 67108864 bytes",
}  # fmt: skip
NETWORK_REASONS = {
    "a Lambda layer": "keras.layers.Lambda", "a layer that reads a file": "StringLookup",
    "a class from elsewhere": "subprocess.run", "code as an initializer": "os.system",
    "a layer of a million units": "units 1000000", "a kernel of a million pixels": "kernel_size",
    "maps enlarged without end": f"maps enlarged {2**60} times, over 4", "a wide border": "a padding of 1000000",
    "an external link": "a link to another file", "a soft link": "a link to another",
    "data in another file": "lie in another file", "a virtual array": "lie in another file",
    "a huge array": r"an array of \(1000000000,\)", "many large arrays": "over 1073741824 bytes",
    "text for weights": "instead of numbers", "groups without end": "without end", "a part too many": "assets/evil",
    "a part missing": "model.weights.h5", "no zip file": "found a difference",
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        yield


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_mean_harm_are_refused(tmp_path, name):
    assert fault(tmp_path, unpack, DataError, ARCHIVES[name]()) is None
    with pytest.raises(DataError, match=ARCHIVE_REASONS[name]):
        unpack(tmp_path / "file.zip", tmp_path / "out")


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_mean_harm_are_refused(tmp_path, name):
    assert fault(tmp_path, lambda path, out: vetting.vet_network(path), ModelError, NETWORKS[name]()) is None
    reason = NETWORK_REASONS.get(name) or ARCHIVE_REASONS[name.removeprefix("an archive with ")]
    with pytest.raises(ModelError, match=reason):
        vetting.vet_network(tmp_path / "file.zip")


def test_networks_without_harm_pass(tmp_path):
    vetting.vet_network(write_zip(tmp_path / "a.keras", network(*HARMLESS)))
    vetting.vet_network(write_zip(tmp_path / "b.keras", network(layer("Conv2D", filters=8, kernel_size=[3, 3]))))
    some = [layer("UpSampling2D", size=[2, 2]), layer("ZeroPadding2D", padding=2), layer("Conv2D", padding="same")]
    vetting.vet_network(write_zip(tmp_path / "c.keras", network(*some)))


def test_a_fault_is_seen(tmp_path):
    """What the tables above rest on: something that isn't refused, or writes, shows."""
    assert fault(tmp_path, lambda path, out: None, DataError, []) == "not refused"

    def write(path, out):
        (out / "evil").touch()
        raise DataError(str(path))

    assert "evil" in fault(tmp_path, write, DataError, [])


def test_too_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "MOST_ENTRIES", 10)
    unpack(many(tmp_path / "ten.zip", 10), tmp_path / "ten")
    with pytest.raises(DataError, match="at most 10 parts, found 11"):
        unpack(many(tmp_path / "eleven.zip", 11), tmp_path / "eleven")
    assert not (tmp_path / "eleven").exists()


def test_a_bomb_in_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(unzip, "MOST_BYTES", 1000)
    path = write_zip(tmp_path / "a.zip", [(str(n), bytes(101)) for n in range(10)])
    with zipfile.ZipFile(path) as file, pytest.raises(DataError, match="at most 1000 bytes unpacked, found 1010"):
        unzip.check(file, path, unzip.MOST_BYTES)


def test_an_honest_archive_is_unpacked(tmp_path):
    parts = [("a/", b""), ("a/b.txt", b"text"), ("c.txt", bytes(100_000))]
    assert main([str(write_zip(tmp_path / "a.zip", parts)), str(tmp_path / "out")]) is None
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.txt")}
    assert found == {"a/b.txt": b"text", "c.txt": bytes(100_000)}


@pytest.mark.parametrize("content", [b"", b"PK no zip file"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    assert "expected a zip file, found a damaged one" in main([str(tmp_path / "a.zip"), str(tmp_path / "out")])


def test_a_tar_file_is_no_archive(tmp_path):
    """Only zip files are unpacked: what a tar file may hold (hard links, devices) is never looked at."""
    with tarfile.open(tmp_path / "a.zip", "w") as file:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.LNKTYPE, "/etc/passwd"
        file.addfile(link)
    assert "expected a zip file" in main([str(tmp_path / "a.zip"), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
