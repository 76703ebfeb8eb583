"""What is asked of an input, and what was found in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiface.analysis.best_looks import BEST_LOOKS
from aiface.analysis.person import Person
from aiface.analysis.verdict import MIN_FACES, Verdict
from aiface.errors import AifaceError, ModelError
from aiface.faces.finder import Finder
from aiface.labels import Answer


@dataclass(frozen=True)
class Settings:
    """What to look at in a video, and what to remember.

    samples_per_second: how many frames of each second faces are looked for in, at least 2. People are told apart by
    following them, and in more than half a second a face moves too far for that. best_looks: how many of each person
    are scored at most (see `aiface.analysis.best_looks`), at least 6, so that after a merge of neighbours enough for a
    verdict remain. None scores every look, in memory that grows with the clip. trails: whether to remember where faces
    were, for `aiface.reports.overlay.annotate`: 24 bytes a look.
    """

    samples_per_second: float = 5.0
    best_looks: int | None = BEST_LOOKS
    trails: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.samples_per_second < float("inf"):
            raise ValueError(f"expected samples_per_second of at least 2, found {self.samples_per_second}")
        if self.best_looks is not None and self.best_looks < 2 * MIN_FACES:
            raise ValueError(f"expected best_looks of at least {2 * MIN_FACES}, or None, found {self.best_looks}")

    def row(self) -> dict[str, float | None]:
        """What the answer depends on, as plain values."""
        return {"samples_per_second": self.samples_per_second, "best_looks": self.best_looks}


@dataclass
class Analysis:
    """What was found in one input.

    path: the input as it was named; copy: where it was read, if that is elsewhere. error: None, or why it could not be
    judged. warnings: what was amiss but did not keep it from being judged. frames: number in which faces were looked
    for; seconds: time of the last one. performance: `speed`, seconds of clip judged per second, and milliseconds for
    each such frame to `read`, `find`, `crop` and `score`. settings: those that the answer depends on, and what found
    the faces.
    """

    path: str
    moving: bool = False
    people: list[Person] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict(Answer.INCONCLUSIVE, None))
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    frames: int = 0
    interrupted: bool = False
    performance: dict[str, float] = field(default_factory=dict)
    settings: dict[str, float | str | None] = field(default_factory=dict)
    copy: str | None = None

    @property
    def file(self) -> Path:
        """What was read."""
        return Path(self.copy or self.path)

    def __str__(self) -> str:
        """The input and what was found: `clip.mp4: real, P(AI) 0.05 from 16 faces`; the error where there is one."""
        return self.error or f"{self.path}: {self.verdict}"

    def named(self, name: str) -> "Analysis":
        """The same of a copy of what has this name."""
        error = self.error and self.error.replace(self.path, name)
        warnings = [warning.replace(self.path, name) for warning in self.warnings]
        return replace(self, path=name, copy=self.path, error=error, warnings=warnings)

    def row(self) -> dict:
        """The answer as plain values: one line of `python -m aiface analyze --json`.

        Of each person: `looks`, how often their face was found; `scored`, how many of these looks were scored; `faces`,
        how many of those the verdict rests on; `ai_intervals_s`, when they look generated (None for a still).
        `likelihood_ratio`: `ratio`, `low` and `high` (`aiface.models.calibration.Likelihood`), or None.
        """
        return {
            "path": self.path,
            "verdict": self.verdict.answer,
            "score": self.verdict.score,
            "likelihood_ratio": _ratio(self.verdict),
            "people": [
                _person_row(person, verdict, self.moving)
                for person, verdict in zip(self.people, self.verdicts, strict=True)
            ],
            "reasons": list(self.verdict.reasons),
            "error": self.error,
        }


def _ratio(verdict: Verdict) -> dict[str, float] | None:
    return verdict.likelihood and verdict.likelihood._asdict()


def _person_row(person: Person, verdict: Verdict, moving: bool) -> dict:
    return {
        "verdict": verdict.answer,
        "score": verdict.score,
        "likelihood_ratio": _ratio(verdict),
        "looks": person.looks,
        "scored": len(person.each_look),
        "faces": verdict.faces,
        "first_s": person.first_time,
        "last_s": person.last_time,
        "ai_intervals_s": [list(span) for span in verdict.ai_spans] if moving else None,
        "reasons": list(verdict.reasons),
    }


def line(report: Mapping) -> dict:
    """What `Analysis.row` gave, of a report's JSON, which says more on the input and on each person."""
    somebody = _person_row(Person(0), Verdict(Answer.INCONCLUSIVE, None), moving=False)
    people = [{key: person[key] for key in somebody} for person in report["people"]]
    return {key: report[key] for key in Analysis("").row()} | {"people": people}


def finder_name(finder: Finder) -> str:
    """What finds the faces, such as "YuNet": which one it is moves crops, and so scores."""
    return getattr(finder, "name", "a function")


def reason(path: str | Path, error: Exception) -> str:
    """Why an input can't be judged. Raises what lies not with the input: a `ModelError`."""
    if isinstance(error, ModelError):
        raise error
    if isinstance(error, AifaceError | OSError):  # OSError: a name too long for the file system
        return str(error)
    return f"{path}: judging it failed with {type(error).__name__}: {error}; report this"
