"""`make evaluate`: what `python -m aiface evaluate` measures, an audit of the sets, and the bars to clear.

The bars name sets of this project; where one is not among the data, its bars say "not measured".
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from aiface.audit.audit import Audit, audit
from aiface.audit.findings import words
from aiface.data.folders import scan
from aiface.errors import AifaceError
from aiface.evaluation.metrics import expected_calibration_error
from aiface.evaluation.protocol import RESAMPLES, Scored, measure, open_sets, pooled, set_name, summary
from aiface.evaluation.report import Section, interval, markdown_table, write
from aiface.evaluation.resampling import bootstrap
from aiface.evaluation.robustness import CLEAN, CURVES, Degraded, degraded
from aiface.faces.finder import load_finder
from aiface.models.detector import load_detector
from aiface.paths import ROOT, WEIGHTS

PAIR = ("faces140k", "wild")  # the sets that are pooled for calibration and degradations
STRENGTHS = {"JPEG quality": 30, "blur sigma": 2, "scaled down to": 128, "noise sigma": 10, "H.264 crf": 35}
PAIR_CURVES = {kind: {strength: CURVES[kind][strength]} for kind, strength in STRENGTHS.items()}
DOCS = ROOT / "docs" / "measured"
REFERENCE = "reference recipe"  # as `benchmarks.quality.ablation` names it
NOT_MEASURED = "not measured"
BARS_TEXT = (
    "Measured on the test splits, which nothing was chosen on. Where a bar is missed, `docs/EXPERIMENTS.md` says "
    "what was tried and why it fell short."
)
AUDIT_TEXT = (
    "From `python -m aiface audit` of each whole set, all its splits. Shortcut score: the AUC of a classifier that is "
    "never shown a face, with its 95 % interval; at 0.5 these traits say nothing of the class. Metadata are never "
    "about the face; low-level statistics are partly how pictures were prepared, partly a generator's own grain. The "
    "detector sees no files, and training degrades both classes alike."
)


@dataclass(frozen=True)
class Bar:
    """A bar: what is measured, what was found, what is asked for, and whether it is met (None: not measured)."""

    measure: str
    found: str
    asked: str
    met: bool | None


def bars(result: Mapping, ablation: Mapping | None = None) -> list[Bar]:
    """The bars held against `aiface.evaluation.protocol.summary`'s result with `pair_figures` in it under "pair"."""
    sets, pair = result["sets"], result.get("pair")
    return [
        _auc_bar("faces140k: AUC", sets.get("faces140k"), 0.97),
        _auc_bar("wild: AUC, all fakes against all reals", sets.get("wild"), 0.985),
        _auc_bar("wild: AUC of the worst generator", _worst(_generators(sets.get("wild"))), 0.96),
        _auc_bar("deepfake: AUC", sets.get("deepfake"), 0.80),
        _auc_bar("degraded, faces140k and wild: worst AUC", _worst(pair["degraded"] if pair else {}), 0.90),
        _false_positive_bar(sets),
        _ece_bar(pair),
        *_clip_bars(result["clips"]),
        _gain_bar(sets, pair, ablation),
    ]


def _auc_bar(measure: str, row: Mapping | None, asked: float) -> Bar:
    if row is None:
        return Bar(measure, NOT_MEASURED, f">= {asked:g}", None)
    which = f" ({row['name']})" if "name" in row else ""
    found = f"{row['auc']:.3f} {interval(row['intervals']['auc'])}{which}"
    return Bar(measure, found, f">= {asked:g}", row["auc"] >= asked)


def _generators(row: Mapping | None) -> dict[str, Mapping]:
    """The sources of AI faces of a set: those that were measured against all its real faces."""
    sources = row["sources"] if row else {}
    return {name: source for name, source in sources.items() if source["n_real"] == row["n_real"]}


def _worst(rows: Mapping[str, Mapping]) -> dict | None:
    name = min(rows, key=lambda name: rows[name]["auc"], default=None)
    return rows[name] | {"name": name} if name else None


def _false_positive_bar(sets: Mapping[str, Mapping]) -> Bar:
    """Of the sources in a set those of AI faces alone have all its real faces: never worse than the worst of these."""
    measure, asked = "false positives at the 1 % threshold, worst real source", "<= 5 %"
    rows = [(name, row) for found in sets.values() for name, row in found["sources"].items()]
    if not rows:
        return Bar(measure, NOT_MEASURED, asked, None)
    name, row = max(rows, key=lambda pair: (pair[1]["fpr_at_1"], -pair[1]["n_real"]))
    low, high = row["intervals"]["fpr_at_1"]
    found = f"{row['fpr_at_1']:.1%} [{low:.1%}, {high:.1%}] ({name}, {row['n_real']} faces)"
    return Bar(measure, found, asked, row["fpr_at_1"] <= 0.05)


def _ece_bar(pair: Mapping | None) -> Bar:
    measure, asked = "faces140k and wild: ECE", "<= 0.05"
    if not pair:
        return Bar(measure, NOT_MEASURED, asked, None)
    return Bar(measure, f"{pair['ece']:.3f} {interval(pair['intervals']['ece'])}", asked, pair["ece"] <= 0.05)


def _clip_bars(sets: Mapping[str, Mapping]) -> list[Bar]:
    n_real, n_ai, called_ai, called_real = (
        sum(clips[key] for clips in sets.values()) for key in ("n_real", "n_ai", "real_called_ai", "ai_called_real")
    )
    return [
        Bar("real clips called AI", f"{called_ai} of {n_real}" if n_real else NOT_MEASURED, "none",
            called_ai == 0 if n_real else None),
        Bar("AI clips not called real", f"{n_ai - called_real} of {n_ai}" if n_ai else NOT_MEASURED, ">= 3 of 4",
            4 * (n_ai - called_real) >= 3 * n_ai if n_ai else None),
    ]  # fmt: skip


def _gain_bar(sets: Mapping[str, Mapping], pair: Mapping | None, ablation: Mapping | None) -> Bar:
    measure, asked = "gain over the reference recipe: AUC, mean over wild, deepfake and degraded", ">= 0.1"
    reference = next((row for row in (ablation or {}).get("rows", ()) if row["name"] == REFERENCE), None)
    if not (reference and pair and {"wild", "deepfake"} <= set(sets)):
        return Bar(measure, NOT_MEASURED, asked, None)
    ours = mean((sets["wild"]["auc"], sets["deepfake"]["auc"], mean(row["auc"] for row in pair["degraded"].values())))
    theirs = mean((reference["auc"]["wild"], reference["auc"]["deepfake"], reference["degraded"]))
    return Bar(measure, f"{ours - theirs:+.3f} ({ours:.3f} against {theirs:.3f})", asked, ours - theirs >= 0.1)


def pair_figures(sets: Mapping[str, Scored], curves: Degraded, resamples: int) -> dict:
    """`ece` of the PAIR together, and the AUC under each of `curves`, all with intervals."""
    scores, labels = pooled(sets[name] for name in PAIR)
    steps = {
        f"{kind} {strength}": found
        for kind, curve in curves.scores.items()
        for strength, found in curve.items()
        if strength != CLEAN
    }
    return {
        "sets": list(PAIR),
        "ece": expected_calibration_error(scores, labels),
        "intervals": bootstrap(lambda drawn: {"ece": drawn.calibration_error()}, scores, labels, resamples),
        "degraded": {name: _auc(found, curves.labels, resamples) for name, found in steps.items()},
    }


def _auc(scores: np.ndarray, labels: np.ndarray, resamples: int) -> dict:
    intervals = bootstrap(lambda drawn: {"auc": drawn.auc()}, scores, labels, resamples)
    return {"auc": float(roc_auc_score(labels, scores)), "intervals": intervals}


def bars_table(found: Sequence[Bar]) -> str:
    """The bars in Markdown."""
    words_for = {True: "met", False: "**missed**", None: NOT_MEASURED}
    rows = [[bar.measure, bar.found, bar.asked, words_for[bar.met]] for bar in found]
    return markdown_table(["measure", "found", "bar", "held"], rows)


def audit_text(audits: Mapping[str, Audit], of_training: Mapping[str, Mapping] | None = None) -> str:
    """The shortcut scores of each set and every finding, in Markdown.

    `of_training`: those of training pictures, by what was done to them, as `train.ipynb` stored them in a card.
    """
    kinds = ("metadata", "low_level", "both")
    scores = markdown_table(
        ["", "pictures", *map(words, kinds)],
        [[name, len(found.measured), *(found.shortcut.scores.get(kind, "too few pictures") for kind in kinds)]
         for name, found in audits.items()],
    )  # fmt: skip
    findings = [
        [name, finding.severity, words(finding.trait), finding.sentence]
        for name, found in audits.items()
        for finding in found.findings
    ]
    table = markdown_table(["set", "severity", "trait", "finding"], findings) if findings else "Nothing found."
    parts = [AUDIT_TEXT, scores, *([_training_text(of_training)] if of_training else []), table]
    return "\n\n".join(parts)


def _training_text(of_training: Mapping[str, Mapping]) -> str:
    found = ", ".join(
        f"{name} {score['auc']:.2f} ({score['low']:.2f} to {score['high']:.2f})"
        for name, scores in of_training.items()
        for score in (scores.get("low_level"),)
        if score
    )
    return f"Low-level score of the training crops of all sets, balanced as in training (`train.ipynb`): {found}."


def run(options: argparse.Namespace, progress: Callable[[Iterable], Iterable]) -> list[Bar]:
    """Measure, write all pages into `options.out`, and return the bars."""
    detector, resamples = load_detector(options.detector), options.resamples
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        sets, clips = open_sets(options.data, folder, lambda: load_finder(options.weights), progress)
        audits = {set_name(root): audit(scan(root), progress) for root in options.data if set_name(root) in sets}
        measured = measure(detector, sets, clips, lambda: load_finder(options.weights), progress,
                           not options.no_curves, resamples)  # fmt: skip
        result = summary(detector, measured, resamples)
        if set(PAIR) <= set(sets):
            curves = degraded(detector, {name: sets[name] for name in PAIR}, progress, PAIR_CURVES, per_class=None)
            result["pair"] = pair_figures(measured.sets, curves, resamples)
    ablation = json.loads(options.ablation.read_text(encoding="utf-8")) if options.ablation.is_file() else None
    found = bars(result, ablation)
    sections: list[Section] = [
        ("Bars", f"{BARS_TEXT}\n\n{bars_table(found)}"),
        ("What else tells the classes apart", audit_text(audits, detector.card["training"].get("shortcut"))),
    ]
    for path in write(result, detector.card, options.out, "make evaluate", sections):
        print(f"aiface: wrote {path}", file=sys.stderr)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the bars; 0 also where some are missed, 1 if something could not be measured."""
    parser = argparse.ArgumentParser(description="Measure a detector and hold it against the project's bars.")
    parser.add_argument("detector", metavar="BUNDLE", help="a detector's folder")
    parser.add_argument("data", nargs="+", metavar="DATA", help="sets as python -m aiface evaluate takes them")
    parser.add_argument(
        "--out", type=Path, default=DOCS, metavar="FOLDER", help="for all pages (default docs/measured)"
    )
    parser.add_argument("--ablation", type=Path, default=DOCS / "ablation.json", metavar="FILE",
                        help="what make ablation wrote, for the reference recipe's figures")  # fmt: skip
    parser.add_argument("--no-curves", action="store_true", help="leave out all degradations that no bar asks for")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="N", help="bootstrap draws")
    parser.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    try:
        found = run(parser.parse_args(arguments), lambda steps: tqdm(steps, disable=None))
    except AifaceError as error:
        print(f"aiface: {error}", file=sys.stderr)
        return 1
    print(bars_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
