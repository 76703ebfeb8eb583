"""What was measured, as sentences: what is wrong with the data, how bad it is, and what to do about it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiface.audit.duplicates import Duplicates
from aiface.audit.measurements import MEANING, Measurements
from aiface.audit.pixel_statistics import GRAIN, LIGHT
from aiface.audit.shortcut import ShortcutScore
from aiface.audit.traits import Category, Trait
from aiface.data.folders import Item
from aiface.io.files import number_of, shown
from aiface.labels import AI, REAL

SOME, MUCH = 0.60, 0.75  # AUC from which a trait is a warning, a problem
SEVERITIES = ("problem", "warning", "info")
CLASS_WORDS = ("real", "AI")
_WORDS = {"jpeg_tables": "JPEG tables", "jpeg_quality": "JPEG quality", "exif": "EXIF",
          "low_level": "low-level statistics"}  # fmt: skip
_ADVICE = {
    "metadata": "None of it is the face: re-encode and resize both classes alike before training "
    "(aiface.data.crop_sets stores bare pixels) and never let a detector read files",
    "low_level": "Some of it may be the generator's own grain, the rest is how pictures were prepared: audit "
    "training batches as well, and degrade both classes alike until little is left (aiface.data.degrade)",
    "splits": "A test that training has seen measures memory: keep them in one split",
    "classes": "Either a label is wrong, or the fake was made from the real picture: remove the wrong one, keep such "
    "a pair in one split",
}


@dataclass(frozen=True)
class Finding:
    """What was found: how bad ("problem", "warning", "info"), the trait's name, and a sentence with what to do."""

    severity: str
    trait: str
    sentence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", shown(self.sentence))


def words(name: str) -> str:
    """`jpeg_tables` as people write it."""
    return _WORDS.get(name, name.replace("_", " "))


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def where(item: Item) -> str:
    """A picture by its path, which opens it."""
    return str(item.path)


def severity(strength: float) -> str:
    """How bad an AUC, or an accuracy, of 0.5 to 1 is."""
    return "problem" if strength >= MUCH else "warning" if strength >= SOME else "info"


def shortcut_findings(shortcut: ShortcutScore) -> Iterator[Finding]:
    """One for the metadata and one for the low-level statistics, as bad as their worst scope."""
    for name in ("metadata", "low_level"):
        if name in shortcut.scores:
            scores = {"all": shortcut.scores[name]} | {scope: row[name] for scope, row in shortcut.groups.items()}
            how_bad = severity(max(score.auc if score.low > 0.5 else 0.5 for score in scores.values()))
            advice = _ADVICE[name] if how_bad != "info" else "They say little about the class"
            sentence = f"{capital(words(name))} alone: shortcut score {_by_scope(scores)}. {advice}."
            yield Finding(how_bad, f"{name}_shortcut", sentence)


def _by_scope(values: Mapping[str, object]) -> str:
    """`0.93 (0.90 to 0.95) over all pictures; within mixed 0.99 (...)`."""
    within = ", ".join(f"{scope} {value}" for scope, value in values.items() if scope != "all")
    over = f"{values['all']} over all pictures" if "all" in values else ""
    return "; ".join(filter(None, (over, f"within {within}" if within else "")))


def split_findings(measured: Measurements) -> Iterator[Finding]:
    """Classes, sources and names by split."""
    splits = np.unique(measured.splits).tolist()
    counts = {_split(s): np.bincount(measured.labels[measured.splits == s], minlength=2) for s in splits}
    for split, row in counts.items():
        for label in np.flatnonzero(row == 0):
            sentence = f"{capital(split)} holds no {CLASS_WORDS[label]} picture that can be read. "
            yield Finding("problem", "missing_class", sentence + "Nothing can be learned or measured there: add some.")
    share = {split: row[AI] / row.sum() for split, row in counts.items()}
    if max(share.values()) - min(share.values()) > 0.1:
        listed = ", ".join(f"{split} {value:.0%}" for split, value in share.items())
        sentence = f"The share of AI pictures differs by split: {listed}. Accuracy can't be compared between them."
        yield Finding("warning", "class_share", sentence)
    yield from _source_findings(measured, len(counts))
    yield from _shared_names(measured)


def _split(name: str) -> str:
    return name or "the set"


def _source_findings(measured: Measurements, splits: int) -> Iterator[Finding]:
    lone = [f"{source} ({_split(split)})" for source, split in _alone((i.source, i.split) for i in measured.items)]
    if lone and splits > 1:
        yield Finding("warning", "source_in_one_split", (
            f"{number_of(len(lone), 'source')} in one split only: {_some(lone)}. In train alone it is never tested, in "
            "test alone it shows what generalises: report it apart."
        ))  # fmt: skip
    single = [source for source, _ in _alone((item.source, item.label) for item in measured.items)]
    sources = len(set(measured.sources.tolist()))
    if single and sources > 1:
        yield Finding("warning", "single_class_sources", (
            f"{len(single)} of {number_of(sources, 'source')} with one class only: {_some(single)}. Whatever tells "
            "sources apart tells classes apart: balance over sources in training, and test on sources left out wholly."
        ))  # fmt: skip


def _alone(pairs: Iterable[tuple]) -> list[tuple]:
    """The pairs whose first half has no other second half."""
    pairs = sorted(set(pairs))
    partners = Counter(first for first, _ in pairs)
    return [pair for pair in pairs if partners[pair[0]] == 1]


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _shared_names(measured: Measurements) -> Iterator[Finding]:
    """File names that stand in more than one split of a source: the same video or person, or mere numbering."""
    splits: dict[tuple[str, str], set[str]] = {}
    for item in measured.items:
        splits.setdefault((item.source, item.path.stem), set()).add(item.split)
    shared = sorted(stem for (_, stem), names in splits.items() if len(names) > 1)
    telling = [stem for stem in shared if not stem.rpartition("_")[2].isdigit()]
    if shared:
        yield Finding("warning" if telling else "info", "name_in_two_splits", (
            f"{number_of(len(shared), 'file name')} in more than one split of a source: {_some(telling or shared, 4)}. "
            "If a name stands for a video or a person, cut splits by name. If it is a running number, it means nothing."
        ))  # fmt: skip


def duplicate_findings(measured: Measurements, duplicates: Duplicates) -> Iterator[Finding]:
    """Copies across splits, across classes, and within."""
    for name, key in (("splits", measured.splits), ("classes", measured.labels)):
        exact = [cluster for cluster in duplicates.exact if len(np.unique(key[cluster])) > 1]
        near = list(duplicates.near[key[duplicates.near[:, 0]] != key[duplicates.near[:, 1]]])
        kinds = ("exact", "set", "identical files", exact), ("near", "pair", "nearly identical pictures", near)
        for kind, noun, what, found in kinds:
            if found:
                total = f"{len(np.unique(np.concatenate(found))):,} {what.split()[-1]}"
                example = f"such as {_pair(measured, key, found[0])}. {_ADVICE[name]}."
                sentence = f"{number_of(len(found), noun)} of {what} across {name} ({total}), {example}"
                how_bad = "warning" if (kind, name) == ("near", "classes") else "problem"
                yield Finding(how_bad, f"{kind}_duplicates_across_{name}", sentence)
    part = np.array([f"{item.split}/{item.label}" for item in measured.items])
    spare = sum(len(cluster) - len(np.unique(part[cluster])) for cluster in duplicates.exact)
    pairs = int(np.sum(part[duplicates.near[:, 0]] == part[duplicates.near[:, 1]]))
    if spare + pairs:
        yield Finding("warning" if spare + pairs > len(measured) / 100 else "info", "duplicates_within", (
            f"{number_of(spare, 'spare identical copy', 'spare identical copies')} and {number_of(pairs, 'pair')} of "
            "nearly identical pictures within a split and class: they weigh double in training and narrow intervals "
            "in test."
        ))  # fmt: skip


def _pair(measured: Measurements, key: np.ndarray, indices: np.ndarray) -> str:
    """The first of these pictures and one that differs from it in `key`."""
    other = next(i for i in indices if key[i] != key[indices[0]])
    return f"{where(measured.items[indices[0]])} and {where(measured.items[other])}"


def unreadable_findings(measured: Measurements) -> Iterator[Finding]:
    """How many files can't be read, of which class, and why the first can't."""
    number, total = len(measured.unreadable), len(measured.unreadable) + len(measured)
    if number:
        by_class = Counter(CLASS_WORDS[item.label] for item, _ in measured.unreadable)
        listed = ", ".join(f"{by_class[word]} {word}" for word in CLASS_WORDS)
        item, reason = measured.unreadable[0]
        why = reason.removeprefix(str(item.path)).lstrip(": ")
        sentence = f"{number_of(number, 'file')} of {total:,} can't be read ({listed}), such as {where(item)}: {why}."
        yield Finding("problem" if number > total / 100 else "warning", "unreadable", sentence)


def category_findings(categories: Iterable[Category]) -> Iterator[Finding]:
    """One for each category by which the classes can be guessed."""
    for trait in categories:
        if (how_bad := severity(trait.strength)) != "info":
            telling = sorted(trait.shares.items(), key=lambda pair: -abs(pair[1][REAL] - pair[1][AI]))[:2]
            listed = "; ".join(f"{value}: {r:.0%} of real and {a:.0%} of AI pictures" for value, (r, a) in telling)
            accuracy = _by_scope({scope: f"{value:.2f}" for scope, value in trait.accuracy.items()})
            yield Finding(how_bad, trait.name, (
                f"{_subject(trait)}: the classes differ. {listed}. Guessing by it is right for {accuracy} (chance "
                f"0.50; Cramer's V {max(trait.cramers_v.values()):.2f}). {_advice(trait.name)}"
            ))  # fmt: skip


def trait_findings(traits: Iterable[Trait]) -> Iterator[Finding]:
    """One for each trait of which some scope's AUC is off 0.5 by more than chance; scopes may point either way."""
    for trait in traits:
        sure = {scope: s for scope, s in trait.scores.items() if not s.low <= 0.5 <= s.high}
        scope = max(sure, key=lambda name: abs(sure[name].auc - 0.5), default="")
        if sure and (how_bad := severity(0.5 + abs(sure[scope].auc - 0.5))) != "info":
            direction = "higher" if sure[scope].auc > 0.5 else "lower"
            within = "" if scope == "all" else f" within {scope}"
            real, ai = trait.values
            scores = {name: str(s) if name == "all" else f"{s.auc:.2f}" for name, s in trait.scores.items()}
            yield Finding(how_bad, trait.name, (
                f"{_subject(trait)}: {direction} in AI pictures{within}. Median over all {real:.4g} in real and "
                f"{ai:.4g} in AI, AUC {_by_scope(scores)}. {_advice(trait.name)}"
            ))  # fmt: skip


def _subject(trait: Category | Trait) -> str:
    return f"{capital(words(trait.name))} ({MEANING[trait.name]})"


def _advice(name: str) -> str:
    if name in LIGHT:
        return "Balance sources and vary the tone of both classes alike."
    if name in GRAIN:
        return "Degrade both classes alike; what is left may be the generator's own trace."
    return "Store both classes the same way, or bare pixels."


def all_findings(
    measured: Measurements, duplicates: Duplicates, shortcut: ShortcutScore, categories: Iterable[Category],
    traits: Iterable[Trait],
) -> list[Finding]:  # fmt: skip
    """Every finding, problems first."""
    found = [
        *shortcut_findings(shortcut),
        *split_findings(measured),
        *duplicate_findings(measured, duplicates),
        *unreadable_findings(measured),
        *category_findings(categories),
        *trait_findings(traits),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
