"""The index of a folder of reports as a page: every input, to be sorted and filtered where scripts run."""

import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from weakref import finalize

import numpy as np

from aiface.drawing import HEX, html_page
from aiface.io.files import number_of
from aiface.labels import Answer
from aiface.reports.wording import NOT_PROOF, WORDS

MOST = 10_000  # rows of the page: more take a browser minutes, and nobody reads them
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
.filters :is(input, select, button) { font: inherit; color: #222; padding: .3rem .4rem; max-width: 100%; height: 2.1rem;
  box-sizing: border-box }
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
_MORE = "<p>Listed here are the first {} of them, the most suspicious; all stand in verdicts.csv and index.json.</p>"
_SCRIPT = Path(__file__).with_name("index.js").read_text(encoding="utf-8")
_BODY = """<h1>{count}</h1>
<p>{counts}</p>{more}
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


class Rows:
    """Rows of an index in the order in which they came, on disk: those of a million inputs would fill the memory.

    Of each, 17 bytes are in memory. counts: how many there are of each verdict.
    """

    def __init__(self, rows: Iterable[Mapping] = ()):
        self.counts: Counter[str] = Counter()
        self._file = TemporaryFile()  # noqa: SIM115 (it goes with this object)
        finalize(self, self._file.close)
        self._starts, self._kinds, self._scores = array("q"), array("b"), array("d")
        self.extend(rows)

    def append(self, row: Mapping) -> None:
        """Add a row, of JSON's types."""
        self._starts.append(self._file.seek(0, os.SEEK_END))
        self._kinds.append(ORDER.index(row["verdict"]))
        self._scores.append(row["score"] or 0)
        self.counts[row["verdict"]] += 1
        self._file.write(json.dumps(row).encode() + b"\n")

    def extend(self, rows: Iterable[Mapping]) -> None:
        """Add rows."""
        for row in rows:
            self.append(row)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[dict]:
        return map(self._at, range(len(self)))

    def verdicts(self) -> Iterator[str]:
        """The rows' verdicts, which takes no look at the disk."""
        return (ORDER[kind] for kind in self._kinds)

    def of(self, verdict: str) -> Iterator[dict]:
        """The rows of a verdict."""
        return (self._at(place) for place, found in enumerate(self.verdicts()) if found == verdict)

    def worst_first(self) -> Iterator[dict]:
        """The rows by verdict, then by score, then by name."""
        kinds, scores = np.array(self._kinds), -np.array(self._scores)
        for _, alike in groupby(np.lexsort((scores, kinds)).tolist(), lambda at: (kinds[at], scores[at])):
            yield from map(self._at, sorted(alike, key=lambda at: self._at(at)["path"]))

    def _at(self, place: int) -> dict:
        self._file.seek(self._starts[place])
        return json.loads(self._file.readline())


def json_lines(version: int, rows: Iterable[Mapping]) -> Iterator[str]:
    """`index.json` of these rows, in pieces."""
    before = f'{{\n  "report_version": {version},\n  "inputs": ['
    end = "]\n}\n"
    for row in rows:
        yield before + "\n    " + json.dumps(row, indent=2, ensure_ascii=False).replace("\n", "\n    ")
        before, end = ",", "\n  ]\n}\n"
    yield (before if before != "," else "") + end


def as_html(rows: Iterable[Mapping]) -> str:
    """The page of these rows, in their order, of the first MOST; whatever comes from outside is escaped."""
    counts, origins, listed = Counter[str](), Counter[str](), list[str]()
    for row in rows:
        counts[row["verdict"]] += 1
        origins[_says(row)] += 1
        if len(listed) < MOST:
            listed.append("".join(_cells(row)))
    number = counts.total()
    told = ", ".join(f"{counts[kind]} {WORDS.get(kind, kind)}" for kind in ORDER if counts[kind])
    body = _BODY.format(
        count=number_of(number, "input"),
        counts=told or "nothing was judged",
        more=_MORE.format(MOST) if number > MOST else "",
        not_proof=NOT_PROOF,
        verdicts=_choices((kind, WORDS.get(kind, kind), counts[kind]) for kind in ORDER),
        says=_choices((kind, words, origins[kind]) for kind, words in SAYS.items()),
        rows="\n".join(listed),
        ends=_ends(counts, number),
        script=_SCRIPT,
    )
    return html_page(f"aiface: {number_of(number, 'input')}", body, _STYLE, width=75)


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
