"""Whether a face was photographed, or drawn, painted, or filtered to look so.

A detector that learnt from photographs, real and generated, has nothing to say on a drawing, and says it all the same.
What gives a drawing away is cheap to measure: flat areas, few colours, lines darker than both their sides, paper, brush
marks that survive a median filter. `measure` measures it at three scales; what the numbers weigh was fitted by
`python -m benchmarks.quality.photograph` on photographs, real and generated, and on drawings that code made of them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE

FACE = slice(56, 216), slice(48, 208)  # rows and columns: where a photograph has printed lines is behind the face
SCALES = (0, 1, 2)  # of 160, 80 and 40 px
STEEP = (0.25, 0.5, 0.75, 0.9, 0.98)  # quantiles of the steps between neighbours, from calm areas to edges
ROUGH = (0.1, 0.3, 0.5, 0.7, 0.9)  # and of the spread within 5x5 px
REACH = 4.0  # standard deviations: what lies further out counts as if it lay there
WEIGHTS = Path(__file__).with_name("photograph.json")
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Network:
    """One hidden layer over `m` numbers, above 0 for art.

    centre, scale: of each number `(m,)`. hidden `(m + 1, h)`, output `(h + 1,)`: weights, the last row the bias.
    """

    centre: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    output: np.ndarray

    def scaled(self, numbers: np.ndarray) -> np.ndarray:
        """What the hidden layer sees, `(n, m)`, of numbers `(n, m)`."""
        return np.clip((numbers - self.centre) / self.scale, -REACH, REACH)

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Logits `(n,)` of numbers `(n, m)`."""
        hidden = np.maximum(self.scaled(numbers) @ self.hidden[:-1] + self.hidden[-1], 0)
        return hidden @ self.output[:-1] + self.output[-1]

    def above(self, bar: float) -> "Network":
        """The same, with 0 where `bar` was."""
        return replace(self, output=np.append(self.output[:-1], self.output[-1] - bar))

    def save(self, path: Path, names: Sequence[str]) -> None:
        """As JSON, to four digits, each number by its name: `[centre, scale, its weights in the hidden layer...]`."""
        rows = dict(zip(names, np.column_stack((self.centre, self.scale, self.hidden[:-1])), strict=True))
        rows |= {"hidden bias": self.hidden[-1], "output": self.output}
        lines = (f'"{name}": [{", ".join(f"{value:.4g}" for value in row)}]' for name, row in rows.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


@cache
def load_network(path: Path = WEIGHTS) -> Network:
    """What `Network.save` wrote. Raises `ModelError` if it is of other numbers than `measure` has."""
    rows = {name: np.array(row) for name, row in json.loads(path.read_text(encoding="utf-8")).items()}
    bias, output = rows.pop("hidden bias"), rows.pop("output")
    if (names := list(rows)) != (expected := list(measure(np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)))):
        raise ModelError(
            f"{path}: expected weights of {', '.join(expected)}, found those of {', '.join(names) or 'nothing'}; "
            "run python -m benchmarks.quality.photograph CROPS --write"
        )
    table = np.array(list(rows.values()))
    return Network(table[:, 0], table[:, 1], np.vstack((table[:, 2:], bias)), output)


def is_art(crop: np.ndarray) -> bool:
    """Whether an RGB uint8 crop `(256, 256, 3)` shows a drawing, a painting or the like.

    It takes 3 photographs in 10,000 for one, of those that a heavy codec went over up to 0.75 %, and it passes many a
    picture that is hardly painted over: docs/EXPERIMENTS.md.
    """
    return bool(load_network()(np.array([list(measure(crop).values())]))[0] > 0)


def measure(crop: np.ndarray) -> dict[str, float]:
    """What tells drawings from photographs, by name, of an RGB uint8 crop `(256, 256, 3)`."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    half = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
    found, grey = _tones(grey) | _colours(half), np.ascontiguousarray(grey[FACE])
    for scale in SCALES:
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if scale else grey
        found |= {f"{name}_{scale}": value for name, value in _texture(grey).items()}
    return found


def _tones(grey: np.ndarray) -> dict[str, float]:
    """Paper, ink, and how many greys there are; how much of them is shading, which lines alone don't have."""
    shares = _shares(grey)
    deviation = float(grey.std()) + 1
    shading = float(cv2.resize(grey, (8, 8), interpolation=cv2.INTER_AREA).std()) + 1
    return {
        "entropy": _entropy(shares),
        "white": float(shares[243:].sum()),
        "black": float(shares[:10].sum()),
        "commonest": float(np.log(shares.max())),
        "top_16": float(np.sort(shares)[-16:].sum()),
        "unused": float((shares < 1e-5).mean()),
        "mean": float(grey.mean()) / 255,
        "deviation": np.log(deviation),
        "shading": np.log(shading / deviation),
    }


def _colours(half: np.ndarray) -> dict[str, float]:
    """How colourful it is, and in how many colours."""
    red, green, blue = cv2.split(half)
    chroma = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    coarse, fine = _joint(half, 16), _joint(half, 32)
    low, middle, high = np.log1p(_quantiles(_shares(chroma), (0.1, 0.5, 0.9)))
    return {
        "chroma_10": low,
        "chroma_50": middle,
        "chroma_90": high,
        "colours": _entropy(coarse),
        "top_8_colours": float(np.sort(coarse)[-8:].sum()),
        "fine_colours": _entropy(fine),
    }


def _texture(grey: np.ndarray) -> dict[str, float]:
    """Flatness, edges, lines and brush marks at one scale, of a uint8 picture `(n, n)`."""
    across, down = cv2.absdiff(grey[:, 1:], grey[:, :-1]), cv2.absdiff(grey[1:], grey[:-1])
    steps = _shares(cv2.max(across[:-1], down[:, :-1]))
    step = float(steps @ np.arange(256)) + 0.5
    found = {f"flat_{least}": float(steps[: least + 1].sum()) for least in (0, 1, 3)} | {"step": np.log(step)}
    found |= _named("steep", STEEP, np.log((_quantiles(steps, STEEP) + 1) / step))
    return found | _curvature(grey) | _lines(grey, step) | _roughness(grey) | _patterns(grey)


def _curvature(grey: np.ndarray) -> dict[str, float]:
    """The Laplacian's spread, its skew, which dark lines on a light ground have, and its kurtosis."""
    shares = _shares(cv2.Laplacian(grey, cv2.CV_8U, delta=128))  # from -128 to 127
    values = np.arange(256) - 128.0
    spread = np.sqrt(shares @ values**2) + 1
    scaled = values / spread
    return {
        "curved": np.log(spread),
        "skew": np.cbrt(shares @ scaled**3),
        "kurtosis": np.log(shares @ scaled**4 + 0.1),
    }


def _lines(grey: np.ndarray, step: float) -> dict[str, float]:
    """Thin dark lines against thin light ones, and what a median filter leaves against what a mean does."""
    dark = cv2.mean(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, _SQUARE))[0] + 0.3
    light = cv2.mean(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, _SQUARE))[0] + 0.3
    median = cv2.mean(cv2.absdiff(grey, cv2.medianBlur(grey, 5)))[0] + 0.2
    mean = cv2.mean(cv2.absdiff(grey, cv2.blur(grey, (5, 5))))[0] + 0.2
    return {
        "dark_lines": np.log(dark / light),
        "lines": np.log((dark + light) / step),
        "median": np.log(median / mean),
        "detail": np.log(mean / step),
    }


def _roughness(grey: np.ndarray) -> dict[str, float]:
    """How unlike each other places are in their spread within 5x5 px."""
    mean, of_squares = cv2.boxFilter(grey, cv2.CV_32F, (5, 5)), cv2.sqrBoxFilter(grey, cv2.CV_32F, (5, 5))
    variance = cv2.subtract(of_squares, cv2.multiply(mean, mean))
    spread = cv2.sqrt(cv2.threshold(variance, 0, 0, cv2.THRESH_TOZERO)[1])
    quantiles = _quantiles(_shares(cv2.convertScaleAbs(spread, alpha=4)), ROUGH) / 4
    return _named("rough", ROUGH, np.log((quantiles + 0.5) / (cv2.mean(spread)[0] + 0.5)))


def _patterns(grey: np.ndarray) -> dict[str, float]:
    """Shares of the ten uniform local binary patterns (Ojala et al. 2002)."""
    height, width = grey.shape
    centre = grey[1:-1, 1:-1]
    codes = np.zeros(centre.shape, np.uint8)
    for bit, (y, x) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        codes |= (grey[y : height - 2 + y, x : width - 2 + x] > centre).view(np.uint8) << bit
    shares = np.bincount(_UNIFORM, weights=_shares(codes), minlength=10)
    return _named("pattern", range(10), shares)


def _uniform(code: int) -> int:
    """How many of a code's eight neighbours are brighter; 9 if they are not all in a row."""
    bits = [code >> bit & 1 for bit in range(8)]
    return sum(bits) if sum(bit != bits[at - 1] for at, bit in enumerate(bits)) <= 2 else 9


_UNIFORM = np.array([_uniform(code) for code in range(256)])


def _named(name: str, keys: Iterable, values: Iterable[float]) -> dict[str, float]:
    return {f"{name}_{key}": float(value) for key, value in zip(keys, values, strict=True)}


def _shares(values: np.ndarray) -> np.ndarray:
    """The share of each of 256 values in a uint8 picture."""
    return cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256]).ravel() / values.size


def _quantiles(shares: np.ndarray, at: Sequence[float]) -> np.ndarray:
    return np.searchsorted(np.cumsum(shares), np.array(at) - 1e-6).astype(np.float64)


def _entropy(shares: np.ndarray) -> float:
    """In nats."""
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


def _joint(image: np.ndarray, steps: int) -> np.ndarray:
    """The share of each colour of so many steps a channel."""
    return cv2.calcHist([image], [0, 1, 2], None, [steps] * 3, [0, 256] * 3).ravel() / image[..., 0].size
