"""Data sets on disk, made by code: alike in both classes but for what a test changes."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE, COUNT = 96, 30  # pixels and pictures for each split and class


def picture(rng, size=SIZE):
    """A scene of its own: random light, soft shapes and fine grain, RGB uint8."""
    coarse = rng.uniform(0, 255, (6, 6, 3)).astype(np.float32)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) * 0.6 + 50
    return (image + rng.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **({"quality": 85} | options if path.suffix == ".jpg" else options))


def plain(root, seed=0, change=lambda image: image, suffix=".jpg", splits=("train", "test"), **options):
    """Made alike but for what `change`, `suffix` and `options` do to the AI class; names are random."""
    rng = np.random.default_rng(seed)
    for split in splits:
        for name in ("real", "fake"):
            for _ in range(COUNT):
                image, stem, fake = picture(rng), rng.bytes(5).hex() + "x", name == "fake"
                own = options if fake else {}
                save(
                    change(image) if fake else image, root / split / name / f"{stem}{suffix if fake else '.jpg'}", **own
                )
    return root


def first(root, *folders):
    return sorted(Path(root, *folders).iterdir())[0]


def close_folder(monkeypatch, name):
    """Have no folder of this name be opened, as for a plain user without the right: root may open any."""
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
