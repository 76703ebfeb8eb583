"""What the evaluation protocol measured, as JSON, as Markdown for docs/ and as one HTML page with figures."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import mistune

from aiface.drawing import data_url, html_page
from aiface.evaluation.figures import figures
from aiface.evaluation.metrics import unseen_table
from aiface.evaluation.robustness import ALL, CLEAN, PER_CLASS
from aiface.io.files import write_json, write_text
from aiface.models.calibration import MISS_RATE, Calibration

COLUMNS = {
    "auc": "AUC", "ap": "AP", "eer": "EER", "accuracy": "accuracy", "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_01": "TPR at 0.1 % FPR", "fpr_at_1": "FPR at the 1 % threshold", "ece": "ECE",
}  # fmt: skip
HOW = (
    "Measured by {command}. Faces are found and cropped as in use. In brackets: 95 % intervals from {resamples:,} "
    "bootstrap draws within each class. Accuracy is at P(AI) 0.5; the column before the last shows what the threshold "
    "stored for 1 % gives here. A resample's ECE is biased upwards, so an interval can lie above its figure."
)
STYLE = (
    "img{max-width:100%}"
    "table{display:block;overflow-x:auto;border-collapse:collapse;font-size:.8rem}"
    "th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
)
COMMAND = "python -m aiface evaluate"
Section = tuple[str, str]  # title, Markdown


def write(
    result: Mapping, card: Mapping, out: str | Path, command: str = COMMAND, sections: Sequence[Section] = ()
) -> list[Path]:
    """Write `results.json`, `RESULTS.md`, `MODEL_CARD.md` and `results.html` into the folder `out`.

    `command` is what made the result, `sections` end the tables.
    """
    out = Path(out)
    tables = results_markdown(result, command, sections)
    write_json(out / "results.json", result)
    write_text(out / "RESULTS.md", tables)
    write_text(out / "MODEL_CARD.md", model_card(card, result))
    write_text(out / "results.html", results_html(result, tables))
    return [out / name for name in ("results.json", "RESULTS.md", "MODEL_CARD.md", "results.html")]


def results_markdown(result: Mapping, command: str = COMMAND, sections: Sequence[Section] = ()) -> str:
    """RESULTS.md: sets, sources, clips, degradations, abstention, and what `sections` add."""
    parts = [f"# Results of {result['detector']['name']}"]
    parts.append(HOW.format(command=f"`{command}`", resamples=result["resamples"]))
    for title, body in (*_sections(result), *sections):
        parts += [f"## {title}", body]
    return "\n\n".join(parts) + "\n"


def _sections(result: Mapping) -> Iterable[Section]:
    if result["sets"]:
        yield "Sets", _figures_table(result["sets"])
    for name, row in result["sets"].items():
        counts = f"{row['n_real']} real and {row['n_ai']} AI faces; left out, with no face found or unreadable: "
        yield f"{name}, by source", f"{counts}{row['left_out']}.\n\n{_figures_table(row['sources'])}"
    for name, clips in result["clips"].items():
        yield f"{name}, clip by clip", f"Video level: {clips_sentence(clips)}\n\n{_clips_table(clips)}"
    if result["curves"]:
        said = f"AUC, the same faces degraded step by step: of each set up to {PER_CLASS} of each class."
        yield "Degraded", f"{said}\n\n{_curves_table(result['curves'])}"
    if result["coverage_risk"]:
        yield "Abstention", _abstention(result)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose cells are plain text.

    >>> print(markdown_table(["a", "b"], [[1, "x|y"]]))
    | a | b |
    |---|---|
    | 1 | x\\|y |
    """
    lines = [" | ".join(" ".join(str(cell).replace("|", "\\|").splitlines()) for cell in row) for row in (head, *rows)]
    return "\n".join([f"| {lines[0]} |", "|" + "---|" * len(head), *(f"| {line} |" for line in lines[1:])])


def _figures_table(rows: Mapping[str, Mapping]) -> str:
    return markdown_table(
        ["", "real", "AI", *COLUMNS.values()],
        [[name, row["n_real"], row["n_ai"], *(_cell(row, key) for key in COLUMNS)] for name, row in rows.items()],
    )


def _cell(row: Mapping, key: str) -> str:
    return f"{row[key]:.3f} {interval(row['intervals'][key])}"


def interval(bounds: Sequence[float] | None) -> str:
    """`[0.910, 0.985]`, or nothing for None."""
    return f"[{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else ""


def clips_sentence(clips: Mapping) -> str:
    """What became of a set of clips: who was called what, the AUC, what was left out."""
    auc = "" if clips["auc"] is None else f" AUC over the clips' scores {_cell(clips, 'auc')}."
    return (
        f"of {clips['n_real']} real clips {clips['real_called_ai']} called AI, {clips['real_inconclusive']} "
        f"inconclusive; of {clips['n_ai']} AI clips {clips['ai_called_real']} called real, {clips['ai_inconclusive']} "
        f"inconclusive.{auc} Left out: {clips['left_out']}."
    )


def _clips_table(clips: Mapping) -> str:
    rows = [
        [row["file"], row["label"], row["verdict"], "" if row["score"] is None else f"{row['score']:.3f}",
         len(row["people"]), ", ".join(row["reasons"])]
        for row in clips["rows"]
    ]  # fmt: skip
    rows += [[file, "", "left out", "", "", error] for file, error in clips["errors"].items()]
    return markdown_table(["clip", "label", "verdict", "score", "people", "reasons"], rows)


def _curves_table(curves: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    tables = list(curves.values())
    kinds = tables[0]
    steps = [(kind, strength) for kind in kinds for strength in kinds[kind] if strength != CLEAN]
    rows = [["none", "", *(f"{next(iter(table.values()))[CLEAN]:.3f}" for table in tables)]]
    rows += [[kind, strength, *(f"{table[kind][strength]:.3f}" for table in tables)] for kind, strength in steps]
    return markdown_table(["degradation", "strength", *(f"{n} sets" if n == ALL else n for n in curves)], rows)


def _abstention(result: Mapping) -> str:
    kinds = ("thresholds", "with_stability")
    decided = markdown_table(
        ["", "decided", "error among them", "decided, stable ones only", "error among them"],
        [[name, *(cell for kind in kinds for cell in _decided(row["decisions"][kind]))]
         for name, row in result["sets"].items()],
    )  # fmt: skip
    curve = result["coverage_risk"]
    pairs = [pair for pair in zip(curve["coverage"], curve["risk"], strict=True) if round(pair[0] * 100) % 10 == 0]
    risk = markdown_table(["faces decided", "error among them"], [[f"{c:.0%}", f"{r:.1%}"] for c, r in pairs])
    return "\n\n".join((
        "What the stored thresholds decide; and what is left of it when a face is inconclusive too whose score moves "
        "under mirroring and re-encoding.", decided,
        "Coverage against risk: error among the faces decided, over all sets, if only that share is, the surest first.",
        risk,
    ))  # fmt: skip


def _decided(row: Mapping) -> tuple[str, str]:
    return f"{row['decided']:.1%}", "" if row["error"] is None else f"{row['error']:.1%}"


def model_card(card: Mapping, result: Mapping) -> str:
    """MODEL_CARD.md after Mitchell et al. 2019, "Model Cards for Model Reporting"."""
    calibration, unseen = Calibration(**card["calibration"]), _unseen(card)
    return f"""# Model card: {card["name"]}

**What it is.** {card["training"]["summary"]} Input: the 256 px crop of `aiface/faces/crop.py`
({card["crop_version"]}); output: P(AI). The network's sha256: `{card["sha256"]}`; the training data's manifest:
`{card["training"].get("manifest", "")}`.

**What it is for.** Research, and a first look at a picture or clip together with other evidence. A verdict is not
proof. Not for identifying or surveilling people, nor for decisions about a person without a human who weighs it.

**How it decides.** A still's logit is the mean of its own and its mirror image's; of a clip there are several looks,
each scored as it is. {_limits(calibration)}
{"Both come from sources that were left out of training" if unseen else "Both come from validation faces"}, with 95 %
confidence: at most so many of the real faces lie above, at most {MISS_RATE:.0%} of each set's AI faces below. Between
the two it says inconclusive, and also where P(AI) moves by more than
{calibration.unstable_above:.3f} when the face is mirrored or re-encoded. Temperature {calibration.temperature:.3f}.
{card["training"].get("thresholds", "")}

**How well.** {unseen}See [RESULTS.md](RESULTS.md), which names the command that measured it.

{_how_well(result)}

**Where it fails.** {_weakest(result["sets"])}Generators, cameras and face swaps that are not
in its training data; strong compression and blur{" (the curves in RESULTS.md)" if result["curves"] else ""};
faces under 64 pixels; drawn or filtered faces; anybody who adapts a picture to it. Age, skin tone and sex are
not labelled in its data: differences were not measured.

**Data.** The sources are research sets under terms of their own. Faces by split and source:

```
{_counts(card["training"].get("faces", {}))}
```
"""


def _limits(calibration: Calibration) -> str:
    """From where on and below where it decides, of pictures and of clips."""
    kinds = {"pictures": calibration.of(moving=False), "clips": calibration}
    if calibration.stills is None:
        kinds = {"pictures and clips": calibration}
    return "\n".join(
        f"In {kind} AI from {limits.ai_from:.3f} (by false-positive rate: "
        + ", ".join(f"{float(rate):.1%}: {at:.3f}" for rate, at in limits.thresholds.items())
        + f"), real below {limits.real_below:.3f}."
        for kind, limits in kinds.items()
    )


def _unseen(card: Mapping) -> str:
    """What the card says of sources that were left out: it comes first, since those are what people send."""
    table = unseen_table(card.get("metrics", {}).get("unseen", {}))
    return f"On sources that no training saw (`make unseen`, [UNSEEN.md](UNSEEN.md)):\n\n{table}\n\n" if table else ""


def _how_well(result: Mapping) -> str:
    clips = [f"Video level, {name}: {clips_sentence(found)}" for name, found in result["clips"].items()]
    return "\n\n".join([*([_figures_table(result["sets"])] if result["sets"] else []), *clips])


def _weakest(sets: Mapping[str, Mapping]) -> str:
    name = min(sets, key=lambda name: sets[name]["auc"], default=None)
    return f"Weakest set here: {name} (AUC {sets[name]['auc']:.3f}). " if name else ""


def _counts(faces: Mapping) -> str:
    return "\n".join(
        f"{split:6} {source:12} {', '.join(f'{number} {name}' for name, number in classes.items())}"
        for split, sources in faces.items()
        for source, classes in sources.items()
    )


def results_html(result: Mapping, text: str) -> str:
    """One page with the main figures as pictures above RESULTS.md's `text`; it needs no other file."""
    body = "".join(f'<h2>{title}</h2><img alt="{title}" src="{data_url(figure)}">' for title, figure in figures(result))
    tables = str(mistune.create_markdown(escape=True, plugins=["table"])(text.partition("\n")[2]))
    heading = f"<h1>Results of {escape(result['detector']['name'])}</h1>"
    return html_page("aiface results", heading + body + tables, STYLE, width=72)
