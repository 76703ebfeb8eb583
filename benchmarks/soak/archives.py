"""Archives and networks that mean harm, one of each known kind: refused by name, and nothing lands outside."""

import io
import json
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from aiface.errors import DataError, ModelError
from aiface.io import unzip
from aiface.models.vetting import vet_network
from benchmarks.speed.clocks import Row

Parts = list[tuple[str | zipfile.ZipInfo, bytes]]


def _link(name: str, target: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    info.comment = target.encode()
    return info


def _hard_link(name: str, target: bytes) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.extra = struct.pack("<HHIIHH", 0x000D, 12 + len(target), 0, 0, 0, 0) + target  # APPNOTE.TXT, 4.5.7
    return info


ARCHIVES: Mapping[str, Callable[[], Parts]] = {
    "a path upwards": lambda: [("../evil", b"x")],
    "a path upwards within": lambda: [("a/../../evil", b"x")],
    "an absolute path": lambda: [("/tmp/evil", b"x")],
    "a Windows path": lambda: [("C:/evil", b"x")],
    "backslashes": lambda: [("..\\evil", b"x")],
    "a symbolic link": lambda: [(_link("a", "/etc"), b"/etc")],
    "a hard link": lambda: [(_hard_link("a", b"/etc/passwd"), b"")],
    "a link, then a file through it": lambda: [(_link("a", "/tmp"), b"/tmp"), ("a/evil", b"x")],
    "the same name twice": lambda: [("a", b"x"), ("a", b"y")],
    "names that differ in case": lambda: [("Real/a", b"x"), ("real/A", b"y")],
    "names that differ in their accents' form": lambda: [("\u00e9", b"x"), ("e\u0301", b"y")],
    "a file where a folder is": lambda: [("a", b"x"), ("a/b", b"y")],
    "a bomb": lambda: [("a", bytes(64 << 20))],
}


def write_zip(path: Path, parts: Parts) -> Path:
    """A zip file of these parts, whatever they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts:
            if isinstance(name, str) and "\\" in name:
                info = zipfile.ZipInfo("x")
                info.filename = name  # past the constructor, which turns them around on Windows alone
                file.writestr(info, content)
            else:
                file.writestr(name, content)
    return path


def many(path: Path, count: int) -> Path:
    """A zip file of so many empty parts."""
    with zipfile.ZipFile(path, "w") as file:
        for number in range(count):
            file.writestr(f"{number:x}", b"")
    return path


def layer(name: str, module: str = "keras.layers", **settings: object) -> dict:
    """A layer as a network's configuration has it."""
    return {"class_name": name, "module": module, "config": settings}


def network(*layers: dict, weights: bytes | None = None) -> Parts:
    """The parts of a Keras file of these layers."""
    config = {"class_name": "Functional", "module": "keras.src.models.functional", "config": {"layers": list(layers)}}
    return [
        ("metadata.json", b"{}"),
        ("config.json", json.dumps(config).encode()),
        ("model.weights.h5", weights or hdf5(lambda root: root.create_dataset("a", data=np.zeros((3, 8))))),
    ]


def hdf5(fill: Callable[[h5py.File], object]) -> bytes:
    """An HDF5 file's bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as root:
        fill(root)
    return buffer.getvalue()


def _virtual(root: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
    root.create_virtual_dataset("a", layout)


def _endless(root: h5py.File) -> None:
    root.create_group("a")["b"] = root["/"]


HARMLESS = (layer("Dense", units=8),)
NETWORKS: Mapping[str, Callable[[], Parts]] = {
    "a Lambda layer": lambda: network(layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "x"}})),
    "a layer that reads a file": lambda: network(layer("StringLookup", vocabulary="/etc/passwd")),
    "a class from elsewhere": lambda: network(layer("run", module="subprocess", args=["touch", "evil"])),
    "code as an initializer": lambda: network(layer("Dense", units=8, kernel_initializer=layer("system", "os"))),
    "a layer of a million units": lambda: network(layer("Dense", units=10**6)),
    "a kernel of a million pixels": lambda: network(layer("Conv2D", filters=8, kernel_size=[1000, 1000])),
    "maps enlarged without end": lambda: network(*[layer("UpSampling2D", size=[2, 2])] * 60),
    "a wide border": lambda: network(layer("ZeroPadding2D", padding=[[0, 0], [0, 10**6]])),
    "an external link": lambda: network(*HARMLESS, weights=hdf5(
        lambda root: root.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/")))),
    "a soft link": lambda: network(*HARMLESS, weights=hdf5(lambda root: root.__setitem__("a", h5py.SoftLink("/b")))),
    "data in another file": lambda: network(*HARMLESS, weights=hdf5(
        lambda root: root.create_dataset("a", (8,), "u1", external=[("/etc/passwd", 0, 8)]))),
    "a virtual array": lambda: network(*HARMLESS, weights=hdf5(_virtual)),
    "a huge array": lambda: network(*HARMLESS, weights=hdf5(
        lambda root: root.create_dataset("a", (10**9,), "f4", chunks=(1000,)))),
    "many large arrays": lambda: network(*HARMLESS, weights=hdf5(
        lambda root: [root.create_dataset(str(n), (16_000, 16_000), "f4", chunks=(100, 100)) for n in range(2)])),
    "text for weights": lambda: network(*HARMLESS, weights=hdf5(
        lambda root: root.create_dataset("a", data=[b"x", b"y"]))),
    "groups without end": lambda: network(*HARMLESS, weights=hdf5(_endless)),
    "a part too many": lambda: [*network(*HARMLESS), ("assets/evil", b"x")],
    "a part missing": lambda: network(*HARMLESS)[:2],
    "no zip file": lambda: [],
    **{f"an archive with {name}": lambda parts=parts: [*network(*HARMLESS), *parts()]
       for name, parts in ARCHIVES.items()},
}  # fmt: skip


def faults(folder: Path) -> Iterator[tuple[str, str | None]]:
    """For each attack, None or what is wrong with the answer to it."""
    for name, parts in ARCHIVES.items():
        yield name, fault(folder, lambda path, out: unzip.unpack(path, out), DataError, parts())
    for name, parts in NETWORKS.items():
        yield f"a network: {name}", fault(folder, lambda path, out: vet_network(path), ModelError, parts())


def fault(folder: Path, load: Callable[[Path, Path], object], kind: type[Exception], parts: Parts) -> str | None:
    """Whether a file of these parts is not refused, or anything is written."""
    path, out = write_zip(folder / "file.zip", parts), folder / "below" / "out"
    out.mkdir(parents=True, exist_ok=True)
    before = sorted(folder.rglob("*"))
    try:
        load(path, out)
    except kind as error:
        written = set(folder.rglob("*")) - set(before)
        return f"wrote {written}" if written else None if str(path) in str(error) else f"said only: {error}"
    except Exception as error:
        return f"raised {error!r}"
    return "not refused"


def measure(count: int = 0, kept: Path | None = None) -> list[Row]:
    """The figures asked for; `count` is no matter here."""
    with tempfile.TemporaryDirectory(prefix="aiface-soak-") as folder:
        found = dict(faults(Path(folder)))
        try:
            unzip.unpack(many(Path(folder, "many.zip"), 1_000_000), Path(folder, "out"))
            found["a million parts"] = "not refused"
        except DataError:
            found["a million parts"] = None if not Path(folder, "out").exists() else "wrote something"
    wrong = [f"{name}: {fault}" for name, fault in found.items() if fault]
    return [Row(f"{len(found)} attacks", f"{len(found) - len(wrong)} refused, {'; '.join(wrong) or '0 bytes written'}",
                "all refused, 0 bytes written", not wrong)]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row)
