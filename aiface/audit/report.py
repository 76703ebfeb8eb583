"""An audit as lines for people, as JSON, and as one HTML page that needs no other file."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import aiface
from aiface.audit.audit import Audit
from aiface.audit.figures import figures
from aiface.audit.findings import capital, severity, where, words
from aiface.audit.measurements import MEANING
from aiface.audit.shortcut import ShortcutScore
from aiface.audit.traits import Trait
from aiface.drawing import SEVERITY_COLOURS, data_url, html_page
from aiface.io.files import number_of, shown, write_json, write_text

_NO_SCORE = "No score: too few pictures of a class."
_COLUMNS = ("jpeg_quality", "bytes_per_pixel", "sharpness", "noise", "blockiness", "brightness", "contrast",
            "saturation", "red", "green", "blue")  # fmt: skip
_STYLE = """h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem } small, footer { color: #555 }
.scores, .figures { display: flex; flex-wrap: wrap; gap: .8rem } li { overflow-wrap: anywhere }
.score { flex: 1 1 13rem; border: 1px solid #ddd; border-radius: .3rem; padding: .6rem 1rem;
  border-top: .35rem solid var(--colour) } .score b { font-size: 2rem; line-height: 1.2; display: block }
ul.findings { list-style: none; padding: 0 } .findings b { text-transform: uppercase; font-size: .75rem }
.findings li { border-left: .35rem solid var(--colour); padding: .3rem .8rem; margin: .5rem 0 }
.figures img { width: 100%; max-width: 32rem; height: auto; align-self: flex-start } .wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem } tr + tr { border-top: 1px solid #eee }
td, th { text-align: left; padding: .2rem .9rem .2rem 0; vertical-align: top; white-space: nowrap }
""" + "".join(f".{severity} {{ --colour: {colour} }}\n" for severity, colour in SEVERITY_COLOURS.items())
_BODY = """<h1>Data audit</h1><p>{counts}</p>
<h2>Shortcut scores</h2><div class="scores">{scores}</div>
<p>A classifier that is never shown a face was asked for the class. 0.5 is a coin: these traits say nothing. 1.0: the
class can be read off them, and a detector trained on this set may have learned them and nothing else. What
<em>metadata</em> give away is never about the face. What <em>low-level statistics</em> give away is partly how pictures
were prepared, partly a generator's own grain.</p>{groups}{carriers}
<h2>Findings</h2><ul class="findings">{findings}</ul>
<h2>Figures</h2><div class="figures">{figures}</div>
<h2>Counts and medians</h2><p><small>Quartiles in brackets.</small></p>{table}
<h2>Traits</h2><p><small>AUC of one trait by itself, above 0.5 where AI pictures have the higher values; intervals hold
for all traits together.</small></p>{traits}
<h2>Categories</h2>{categories}
<h2>Copies</h2>{copies}{unreadable}
<footer><h2>How this was measured</h2><p>Shortcut score: mean AUC of gradient boosting in five-fold cross-validation,
near-duplicates kept in one fold; 95 % interval by LeDell et al. 2015, widened as in Nadeau and Bengio 2003. Traits: AUC
by DeLong et al. 1988 with Bonferroni intervals. Categories: Cramer's V corrected by Bergsma 2013. Grain is measured in
the central 256 px of native pixels: sharpness as Pertuz et al. 2013, noise as Immerkaer 1996, blockiness after Wang et
al. 2002. Near-duplicates: a 64-bit DCT hash (Zauner 2010) within 8 bits, found by multi-index hashing (Norouzi et al.
2012), and 16x16 thumbnails that correlate at 0.98 or more; mirrored and cut copies are not looked for.</p>
<p>aiface {version}</p></footer>
"""


def write(found: Audit, out: str | Path) -> list[Path]:
    """Write `audit.html` and `audit.json` into the folder `out`."""
    page, data = Path(out, "audit.html"), Path(out, "audit.json")
    write_text(page, to_html(found))
    write_json(data, to_json(found))
    return [page, data]


def to_text(found: Audit) -> str:
    """A line for each finding, problems first, then the shortcut scores."""
    lines = [f"{finding.severity}: {finding.sentence}" for finding in found.findings] or ["Nothing found."]
    scores = [f"  {words(name)}: {score}" for name, score in found.shortcut.scores.items()]
    head = ["Shortcut scores, with 95 % intervals (0.5: these traits say nothing, 1.0: they give the class away):"]
    return "\n".join(lines + (head + scores if scores else [_NO_SCORE]))


def to_json(found: Audit, most: int = 1000) -> dict:
    """The audit as plain values that `json.dumps(..., allow_nan=False)` takes; of pairs and files at most `most`."""
    measured, copies = found.measured, found.duplicates
    path = [item.path for item in measured.items]
    return _plain({
        "audit_version": 1,
        "aiface": aiface.__version__,
        "pictures": len(measured),
        "shortcut": asdict(found.shortcut),
        "findings": [asdict(finding) for finding in found.findings],
        "table": found.table,
        "traits": [asdict(trait) | {"meaning": MEANING[trait.name]} for trait in found.traits],
        "categories": [asdict(trait) | {"meaning": MEANING[trait.name]} for trait in found.categories],
        "jpeg_tables": measured.tables,
        "exact_duplicates": [[path[i] for i in cluster] for cluster in copies.exact[:most]],
        "near_duplicate_pairs": len(copies.near),
        "near_duplicates": [
            {"pictures": [path[i] for i in copies.near[p]], "bits": copies.bits[p],
             "correlation": copies.correlation[p]} for p in _worst_first(found)[:most]
        ],
        "unreadable": [{"path": item.path, "reason": reason} for item, reason in measured.unreadable[:most]],
    })  # fmt: skip


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {shown(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, str | Path):
        return shown(value)
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _worst_first(found: Audit) -> np.ndarray:
    """The order of near pairs: across splits, then across classes, the most alike first."""
    (a, b), splits, labels = found.duplicates.near.T, found.measured.splits, found.measured.labels
    return np.lexsort((labels[a] == labels[b], splits[a] == splits[b]))


def to_html(found: Audit) -> str:
    """One page that needs no other file, problems first. Whatever comes from outside, file names first, is escaped."""
    measured = found.measured
    real, ai = np.bincount(measured.labels, minlength=2)
    unreadable = [[where(item), reason] for item, reason in measured.unreadable[:20]]
    body = _BODY.format(
        counts=f"{len(measured):,} pictures: {real:,} real, {ai:,} AI-generated; "
               f"{number_of(len(set(measured.sources.tolist())), 'source')}",
        scores=_scores(found.shortcut),
        groups=_scores_by_group(found.shortcut),
        carriers=_carriers(found.shortcut),
        findings="".join(f'<li class="{finding.severity}"><b>{finding.severity}</b> {escape(finding.sentence)}</li>'
                         for finding in found.findings) or "<li>Nothing.</li>",
        figures="".join(f'<img alt="{escape(title)}" src="{data_url(figure, dpi=150)}">'
                        for title, figure in figures(measured, found.traits)),
        table=_summary_table(found.table),
        traits=_traits_table(found.traits),
        categories=_html_table(["category", "value", "real", "AI", "Cramer's V", "accuracy"], _category_rows(found)),
        copies=_copies(found),
        unreadable=f"<h2>Unreadable</h2>{_html_table(['file', 'reason'], unreadable)}" if unreadable else "",
        version=aiface.__version__,
    )  # fmt: skip
    return shown(html_page("Data audit", body, _STYLE, width=66))


def _scores(shortcut: ShortcutScore) -> str:
    return "".join(
        f'<div class="score {severity(score.auc)}"><span>'
        f"{'Both together' if name == 'both' else capital(words(name))}</span><b>{score.auc:.2f}</b>"
        f"<small>95 % interval {score.low:.2f} to {score.high:.2f}</small></div>"
        for name, score in shortcut.scores.items()
    ) or f'<p class="score info">{_NO_SCORE}</p>'  # fmt: skip


def _scores_by_group(shortcut: ShortcutScore) -> str:
    rows = [[scope, *(row[name] for name in shortcut.scores)] for scope, row in shortcut.groups.items()]
    note = "<p><small>A source that has both classes is scored by itself; sources of one class are mixed.</small></p>"
    return _html_table(["within", *map(words, shortcut.scores)], rows) + note if rows else ""


def _carriers(shortcut: ShortcutScore) -> str:
    carriers = [f"{words(name)} {lost:.3f}" for name, lost in shortcut.importance.items() if lost >= 0.003][:8]
    return f"<p>Carried by (AUC lost when shuffled): {escape(', '.join(carriers))}.</p>" if carriers else ""


def _html_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _summary_table(table: Sequence[dict]) -> str:
    header = ["split", "source", "class", "n", "format", "size", "JPEG tables", "subsampling", *map(words, _COLUMNS)]
    rows = [
        [row["split"] or "-", row["source"], row["class"], row["n"]]
        + [_commonest(row[name], row["n"]) for name in ("format", "size", "jpeg_tables", "subsampling")]
        + ["-" if (q := row[name]) is None else f"{q[1]:.3g} ({q[0]:.3g} to {q[2]:.3g})" for name in _COLUMNS]
        for row in table
    ]
    return _html_table(header, rows)


def _commonest(values: Mapping[str, int], n: int) -> str:
    value, number = next(iter(values.items()), ("", n))
    return (value or "-") + (f" {number / n:.0%}" if number < n else "")


def _traits_table(traits: Sequence[Trait]) -> str:
    scopes = list(dict.fromkeys(scope for trait in traits for scope in trait.scores))
    rows = [
        [words(trait.name), *(f"{value:.4g}" for value in trait.values)]
        + [trait.scores.get(scope, "-") for scope in scopes]
        + [MEANING[trait.name]]
        for trait in traits
    ]
    return _html_table(["trait", "real", "AI", *(f"AUC {scope}" for scope in scopes), "what it is"], rows)


def _category_rows(found: Audit) -> Iterable[list[str]]:
    for trait in found.categories:
        last = [f"{trait.cramers_v['all']:.2f}", f"{trait.accuracy['all']:.2f}"]
        for value, (real, ai) in list(trait.shares.items())[:4]:
            yield [words(trait.name), value, f"{real:.1%}", f"{ai:.1%}", *last]
            last = ["", ""]


def _copies(found: Audit, most: int = 20) -> str:
    items, copies = found.measured.items, found.duplicates
    rows = [["identical", "", *(where(items[i]) for i in cluster[:2])] for cluster in copies.exact[: most // 2]]
    for p in _worst_first(found)[:most]:
        likeness = f"{copies.bits[p]} bits, {copies.correlation[p]:.3f}"
        rows.append(["near", likeness, *(where(items[i]) for i in copies.near[p])])
    if not rows:
        return "<p>None found.</p>"
    total = f"{number_of(len(copies.exact), 'set')} of identical files, {number_of(len(copies.near), 'near pair')}"
    return f"<p>{total}; across splits first.</p>{_html_table(['copy', 'likeness', 'one', 'other'], rows)}"
