"""What the evaluation protocol measured, as JSON, as Markdown for docs/ and as one HTML page with figures."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from aiface.calibration import AI_RATE, MISS_RATE
from aiface.files import write_json, write_text
from aiface.plots import data_url

COLUMNS = {
    "auc": "AUC", "ap": "AP", "eer": "EER", "accuracy": "accuracy", "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_01": "TPR at 0.1 % FPR", "fpr_at_1": "FPR at the 1 % threshold", "ece": "ECE",
}  # fmt: skip
HOW = (
    "Measured by `make evaluate`. Faces are found and cropped as in use. In brackets: 95 % intervals from 1000 "
    "bootstrap draws within each class. Accuracy is at P(AI) 0.5; the column before the last shows what the threshold "
    "stored for 1 % gives here."
)


def write(result: Mapping, card: Mapping, out: str | Path) -> list[Path]:
    """Write `results.json`, `RESULTS.md`, `MODEL_CARD.md` and `results.html` into the folder `out`."""
    out = Path(out)
    write_json(out / "results.json", result)
    write_text(out / "RESULTS.md", results_markdown(result))
    write_text(out / "MODEL_CARD.md", model_card(card, result))
    write_text(out / "results.html", results_html(result))
    return [out / name for name in ("results.json", "RESULTS.md", "MODEL_CARD.md", "results.html")]


def results_markdown(result: Mapping) -> str:
    """RESULTS.md: sets, sources, degradations, abstention."""
    parts = [f"# Results of {result['detector']['name']}", HOW, "## Sets", _table(result["sets"])]
    for name, row in result["sets"].items():
        parts += [f"## {name}, by source", f"Left out: {row['left_out']} (no face found or unreadable).",
                  _table(row["sources"])]  # fmt: skip
    if result["curves"]:
        parts += ["## Degraded", "AUC of all sets together, the same faces spoiled step by step.", _curves(result)]
    parts += ["## Abstention", "Error among the faces decided, if only that share is, the surest first.", _risk(result)]
    return "\n\n".join(parts) + "\n"


def _table(rows: Mapping[str, Mapping]) -> str:
    head = ["", "real", "AI", *COLUMNS.values()]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [name, str(row["n_real"]), str(row["n_ai"]), *(_cell(row, key) for key in COLUMNS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Mapping, key: str) -> str:
    low, high = row["intervals"][key]
    return f"{row[key]:.3f} [{low:.3f}, {high:.3f}]"


def _curves(result: Mapping) -> str:
    lines = ["| degradation | clean | AUC by strength |", "|---|---|---|"]
    for name, curve in result["curves"].items():
        steps = ", ".join(f"{strength}: {auc:.3f}" for strength, auc in curve.items() if strength != "clean")
        lines.append(f"| {name} | {curve['clean']:.3f} | {steps} |")
    return "\n".join(lines)


def _risk(result: Mapping) -> str:
    curve = result["coverage_risk"]
    pairs = [pair for pair in zip(curve["coverage"], curve["risk"], strict=True) if round(pair[0] * 100) % 10 == 0]
    return "\n".join(
        ["| faces decided | error among them |", "|---|---|", *(f"| {c:.0%} | {r:.1%} |" for c, r in pairs)]
    )


def model_card(card: Mapping, result: Mapping) -> str:
    """MODEL_CARD.md after Mitchell et al. 2019, "Model Cards for Model Reporting"."""
    calibration = card["calibration"]
    worst = min(((row["auc"], name) for name, row in result["sets"].items()), default=(0.0, ""))
    thresholds = ", ".join(f"{float(rate):.1%}: {at:.3f}" for rate, at in calibration["thresholds"].items())
    return f"""# Model card: {card["name"]}

**What it is.** {card["training"]["summary"]} Input: the 256 px crop of `aiface/crop.py`
({card["crop_version"]}); output: P(AI). The network's sha256: `{card["sha256"]}`; the training data's manifest:
`{card["training"].get("manifest", "")}`.

**What it is for.** Research, and a first look at a picture or clip together with other evidence. A verdict is not
proof. Not for identifying or surveilling people, nor for decisions about a person without a human who weighs it.

**How it decides.** AI from {calibration["thresholds"][str(AI_RATE)]:.3f} (thresholds by false-positive rate on
real validation faces: {thresholds}); real below {calibration["real_below"]:.3f} ({MISS_RATE:.0%} of AI validation faces
lie there); between the two it says inconclusive. Temperature {calibration["temperature"]:.3f}.

**How well.** See [RESULTS.md](RESULTS.md), all of it measured by `make evaluate`.

{_table(result["sets"])}

**Where it fails.** Weakest set here: {worst[1]} (AUC {worst[0]:.3f}). Generators, cameras and face swaps that are not
in its training data; strong compression and blur (the curves in RESULTS.md); faces under 64 pixels; drawn or filtered
faces; anybody who adapts a picture to it. Age, skin tone and sex are not labelled in its data: differences were not
measured.

**Data.** The sources are research sets under terms of their own. Faces by split and source:

```
{_counts(card["training"].get("faces", {}))}
```
"""


def _counts(faces: Mapping) -> str:
    return "\n".join(
        f"{split:6} {source:12} {', '.join(f'{number} {name}' for name, number in classes.items())}"
        for split, sources in faces.items()
        for source, classes in sources.items()
    )


def results_html(result: Mapping) -> str:
    """One page with the tables' main figures as pictures; it needs no other file."""
    figures = [("Area under the ROC curve, by set and source", sources_figure(result))]
    if result["curves"]:
        figures.append(("Under degradation", curves_figure(result)))
    figures.append(("Abstaining", risk_figure(result)))
    body = "".join(f'<h2>{title}</h2><img alt="{title}" src="{data_url(figure)}">' for title, figure in figures)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>aiface results</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "img{max-width:100%}pre{overflow-x:auto;font-size:12px}</style></head><body>"
        f"<h1>Results of {escape(result['detector']['name'])}</h1>{body}"
        f"<h2>Tables</h2><pre>{escape(results_markdown(result))}</pre></body></html>\n"
    )


def sources_figure(result: Mapping) -> Figure:
    """AUC with its interval, each set in bold above its sources."""
    rows = []
    for name, row in result["sets"].items():
        rows += [(name, row, "black"), *((f"   {s}", r, "grey") for s, r in row["sources"].items())]
    figure = Figure(figsize=(8, 0.6 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for height, (_, row, colour) in enumerate(rows):
        axes.plot(row["intervals"]["auc"], (height, height), color=colour)
        axes.plot(row["auc"], height, "o", color=colour)
    axes.axvline(0.5, color="grey", linestyle=":")
    axes.set(yticks=range(len(rows)), yticklabels=[name for name, *_ in rows], xlabel="AUC", xlim=(0.3, 1.01))
    axes.invert_yaxis()
    return figure


def curves_figure(result: Mapping) -> Figure:
    """One small plot for each degradation."""
    figure = Figure(figsize=(13, 2.8), layout="constrained")
    for axes, (name, curve) in zip(
        figure.subplots(1, len(result["curves"]), sharey=True), result["curves"].items(), strict=True
    ):
        axes.plot(list(curve), list(curve.values()), ".-", color="black")
        axes.axhline(0.5, color="grey", linestyle=":")
        axes.set(title=name, ylim=(0.45, 1.01))
    figure.axes[0].set_ylabel("AUC")
    return figure


def risk_figure(result: Mapping) -> Figure:
    """Error among the decided against the share decided."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(result["coverage_risk"]["coverage"], result["coverage_risk"]["risk"], ".-", color="black")
    axes.set(xlabel="share of faces decided", ylabel="error among them", xlim=(0, 1.02), ylim=(0, None))
    return figure
