"""The index of a folder of reports as a page: every input, to be sorted and filtered where scripts run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from aiface.drawing import HEX, html_page
from aiface.io.files import number_of
from aiface.labels import Answer
from aiface.reports.wording import NOT_PROOF, WORDS

SKIPPED = "skipped"
ORDER = (*reversed(Answer), "error", SKIPPED)
SAYS = {"yes": "says that AI made it", "no": "says nothing of it", "unknown": "not known"}  # of a file's own origin
_STYLE = """.table { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #ddd }
td:first-child, td:nth-child(n + 5) { min-width: 14rem; overflow-wrap: anywhere }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  white-space: nowrap }
th button::after { content: " \\2195"; color: #767676 } [aria-sort=ascending] button::after { content: " \\2191" }
[aria-sort=descending] button::after { content: " \\2193" }
.filters:not([hidden]) { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: 1rem 0 }
.filters label { display: grid; font-size: .85rem; color: #555 } .status { margin: .5rem 0 }
.filters :is(input, select, button) { font: inherit; color: #222; padding: .3rem .4rem; max-width: 100% }
:focus-visible { outline: 3px solid #2b5fd9; outline-offset: 2px }
.error, .skipped { color: #555 } .ai { font-weight: 600 }
@media (max-width: 40rem) {
  table, tbody, td { display: block } thead tr { display: flex; flex-wrap: wrap; gap: .3rem 1rem } th { border: 0 }
  th, td { padding: .1rem 0 } td:empty { display: none } td { border: 0 }
  tbody tr:not([hidden]) { display: block; padding: .6rem 0; border-bottom: 1px solid #ddd }
  td:nth-child(-n + 4):not(:first-child) { display: inline-block; margin-right: .8rem }
  td[data-name]::before { content: attr(data-name) ": "; color: #555 }
}
@media print { .filters, .filters:not([hidden]), .status { display: none } .table { overflow: visible }
  body { max-width: none; font-size: 9pt } th button::after { content: "" } td:nth-child(n) { min-width: 0 }
  td:first-child { min-width: 9rem }
  thead { display: table-header-group; break-inside: avoid } tr { break-inside: avoid } }
""" + "".join(f".{answer} {{ color: {colour} }}\n" for answer, colour in HEX.items())
_SCRIPT = Path(__file__).with_name("index.js").read_text(encoding="utf-8")
_BODY = """<h1>{count}</h1>
<p>{counts}</p>
<p><strong>{not_proof}</strong></p>
<form class="filters" aria-label="Which inputs are shown" hidden>
<label>Verdict <select name="verdict">{verdicts}</select></label>
<label>Score from <input type="number" name="low" min="0" max="1" step="0.01" size="5"></label>
<label>to <input type="number" name="high" min="0" max="1" step="0.01" size="5"></label>
<label>Of its origin the file <select name="says">{says}</select></label>
<label>Name holds <input type="search" name="name" size="16"></label>
<button type="reset">Show all</button>
</form>
<p class="status" role="status"></p>
<div class="table" role="region" aria-label="all inputs" tabindex="0"><table>
<thead><tr><th scope="col">input</th><th scope="col">verdict</th><th scope="col">score</th><th scope="col">people</th>
<th scope="col">says it is generated</th><th scope="col">why</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p>{ends}</p>
<script>{script}</script>
"""


def as_html(rows: Sequence[Mapping]) -> str:
    """The page of these rows, in their order; whatever comes from outside is escaped."""
    counts = Counter(row["verdict"] for row in rows)
    origins = Counter(_says(row) for row in rows)
    told = ", ".join(f"{counts[kind]} {WORDS.get(kind, kind)}" for kind in ORDER if counts[kind])
    body = _BODY.format(
        count=number_of(len(rows), "input"),
        counts=told or "nothing was judged",
        not_proof=NOT_PROOF,
        verdicts=_choices((kind, WORDS.get(kind, kind), counts[kind]) for kind in ORDER),
        says=_choices((kind, words, origins[kind]) for kind, words in SAYS.items()),
        rows="\n".join("".join(_cells(row)) for row in rows),
        ends=_ends(counts, len(rows)),
        script=_SCRIPT,
    )
    return html_page(f"aiface: {number_of(len(rows), 'input')}", body, _STYLE, width=75)


def _ends(counts: Mapping[str, int], number: int) -> str:
    left = {"could not be judged": counts["error"], "skipped": counts[SKIPPED]}
    judged = number - sum(left.values())
    return (
        f"{number_of(number, 'input')}: {judged} judged, "
        + ", ".join(f"{count} {words}" for words, count in left.items())
        + "."
    )


def _choices(kinds: Iterable[tuple[str, str, int]]) -> str:
    there = "".join(f'<option value="{kind}">{words} ({count})</option>' for kind, words, count in kinds if count)
    return f'<option value="">all</option>{there}'


def _says(row: Mapping) -> str:
    return "unknown" if row["says_generated"] is None else "yes" if row["says_generated"] else "no"


def _cells(row: Mapping) -> Iterator[str]:
    name, verdict = escape(row["path"]), row["verdict"]
    score = "" if row["score"] is None else f"{row['score']:.2f}"
    exact = "" if row["score"] is None else f"{row['score']:.4f}"
    there = row["report"] or row["json"]
    link = f'<a href="{escape(there)}">{name}</a>' if there else name
    yield f'<tr data-verdict="{verdict}" data-score="{exact}" data-says="{_says(row)}"><td>{link}</td>'
    yield f'<td class="{verdict}" data-sort="{ORDER.index(verdict)}">{WORDS.get(verdict, verdict)}</td>'
    yield f'<td data-sort="{exact}"{_named("score", score)}>{score}</td>'
    yield f"<td{_named('people', row['people'])}>{row['people'] or ''}</td>"
    says = escape("; ".join(row["says_generated"] or ()))
    yield f"<td{_named('says', says)}>{says}</td><td>{escape(row['why'])}</td></tr>"


def _named(name: str, value: object) -> str:
    """What a narrow screen, which has no columns, shows before a value."""
    return f' data-name="{name}"' if value else ""
