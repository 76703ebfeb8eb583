import json
import re

import pytest
from measured import CARD, clips, made_up, scored

from aiface.evaluation.report import markdown_table, model_card, results_html, results_markdown, write

WILD = {"gan": (0, 30), "flux": (0, 20), "camera": (40, 0)}


@pytest.fixture(scope="module")
def result():
    judged = clips(("real", "ai"), ("real", "inconclusive"), ("ai", "real"), errors={"cut.mp4": "expected a video"})
    return made_up({"wild": scored(WILD), "faces": scored({"faces": (25, 25)}, gap=0.2, seed=1)}, {"street": judged})


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    """The cells of every row of the tables in a text, without heads and lines."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [cells for cells in lines if not cells[0].startswith("---")]


def test_titles(result):
    text = results_markdown(result, sections=[("More", "said")])
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Sets", "wild, by source", "faces, by source", "street, clip by clip", "Degraded", "Abstention", "More",
    ]  # fmt: skip
    assert section(text, "More").strip() == "said"


def test_the_command_and_the_draws_are_named(result):
    text = results_markdown(result, "python -m aiface evaluate weights/x faces")
    assert "Measured by `python -m aiface evaluate weights/x faces`." in text
    assert "intervals from 20 bootstrap draws" in text


def test_each_set_says_how_many_faces(result):
    text = results_markdown(result)
    auc, low, high = result["sets"]["wild"]["auc"], *result["sets"]["wild"]["intervals"]["auc"]
    assert f"| wild | 40 | 50 | {auc:.3f} [{low:.3f}, {high:.3f}] |" in section(text, "Sets")
    assert "40 real and 50 AI faces; left out, with no face found or unreadable: 2." in section(text, "wild, by source")
    assert [cells[:3] for cells in rows(section(text, "wild, by source"))[1:]] == [
        ["camera", "40", "50"], ["flux", "40", "20"], ["gan", "40", "30"],
    ]  # fmt: skip


def test_curves_of_all_and_of_each_set(result):
    head, clean, *steps = rows(section(results_markdown(result), "Degraded"))
    assert head == ["degradation", "strength", "all sets", "wild", "faces"]
    assert clean[2:] == [f"{result['curves'][name]['JPEG quality']['clean']:.3f}" for name in ("all", "wild", "faces")]
    assert len(steps) == 20
    assert [
        "blur sigma",
        "3",
        *(f"{result['curves'][name]['blur sigma']['3']:.3f}" for name in result["curves"]),
    ] in steps


def test_abstention_with_and_without_the_stability_check(result):
    table = rows(section(results_markdown(result), "Abstention"))
    row = result["sets"]["wild"]["decisions"]
    shares = [f"{row[kind][key]:.1%}" for kind in ("thresholds", "with_stability") for key in ("decided", "error")]
    assert table[1] == ["wild", *shares]
    assert row["with_stability"]["decided"] < row["thresholds"]["decided"]
    assert ["100%", f"{result['coverage_risk']['risk'][-1]:.1%}"] in table


def test_clips(result):
    text = section(results_markdown(result), "street, clip by clip")
    assert "of 2 real clips 1 called AI, 1 inconclusive; of 1 AI clips 1 called real, 0 inconclusive." in text
    assert "AUC over the clips' scores 0.000 [0.000, 0.000]. Left out: 1." in text
    assert ["0.mp4", "real", "ai", "0.900", "1", r"too \| dark"] in rows(text)
    assert any("cut.mp4" in line and "left out" in line and "expected a video" in line for line in text.splitlines())


@pytest.mark.parametrize(
    ("sets", "judged", "titles"),
    [
        ({}, {"street": clips(("ai", "ai"))}, ["street, clip by clip"]),
        ({"faces": scored({"faces": (9, 9)})}, {}, ["Sets", "faces, by source", "Degraded", "Abstention"]),
    ],
)
def test_what_was_not_measured_is_not_told(sets, judged, titles):
    found = made_up(sets, judged)
    text = results_markdown(found)
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == titles
    assert results_html(found, text).count("data:image/png") == (3 if sets else 0)
    assert ("Weakest set here: faces" in model_card(CARD, found)) == bool(sets)


def test_pages_are_written_whole(result, tmp_path):
    paths = write(result, CARD, tmp_path / "docs", "make it", [("Bars", "all met")])
    assert [path.name for path in paths] == ["results.json", "RESULTS.md", "MODEL_CARD.md", "results.html"]
    assert json.loads(paths[0].read_text(encoding="utf-8"))["sets"]["wild"]["n_ai"] == 50
    for path in (paths[1], paths[3]):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"Measured by (`|<code>)make it", text)
        assert "all met" in text


def test_the_card_says_how_it_decides_and_how_well(result):
    text = model_card(CARD, result)
    weakest = min(result["sets"], key=lambda name: result["sets"][name]["auc"])
    assert f"Weakest set here: {weakest} (AUC {result['sets'][weakest]['auc']:.3f})." in text
    assert "moves by more than\n0.200 when the face is mirrored or re-encoded" in text
    assert "Video level, street: of 2 real clips 1 called AI" in text


def test_the_card_tells_limits_of_pictures_and_of_clips_and_what_was_never_seen(result):
    stills = {"thresholds": {"0.01": 0.6}, "real_below": 0.5, "ratios": []}
    keys = ("auc", "fakes called AI", "fakes called real", "reals called real", "reals called AI")
    unseen = {"mine": dict.fromkeys(keys, 0.25), "known": {"auc": 0.9}}
    training = CARD["training"] | {"thresholds": "No clip was spared."}
    calibration = CARD["calibration"] | {"stills": stills}
    text = model_card(CARD | {"calibration": calibration, "training": training, "metrics": {"unseen": unseen}}, result)
    assert (
        "In pictures AI from 0.600 (by false-positive rate: 1.0%: 0.600), real below 0.500.\nIn clips AI from" in text
    )
    assert "| mine | 0.25 | 25.0% | 25.0% | 25.0% | 25.0% |" in text
    assert "| known |" not in text
    assert "sources that were left out of training" in text
    assert "No clip was spared." in text
    assert "In pictures and clips AI from" in model_card(CARD, result)
    assert "Both come from validation faces" in model_card(CARD, result)


def test_the_page_needs_no_other_file(result):
    page = results_html(result, "# Results\n\na < b\n\n| <b>x</b> | y |\n|---|---|\n| 1 | **2** |\n")
    assert page.count("data:image/png") == 3
    assert "a &lt; b" in page
    assert page.count("<h1>") == page.count("<table>") == 1
    assert "<th>&lt;b&gt;x&lt;/b&gt;</th>" in page  # a set's name is text, whatever it looks like
    assert "<td><strong>2</strong></td>" in page
    assert "http" not in page.split("</style>")[1].replace("data:image", "")


def test_a_table_keeps_its_columns():
    assert markdown_table(["a", "b"], [[1, "x|y"], ["", "2\n3"]]) == "| a | b |\n|---|---|\n| 1 | x\\|y |\n|  | 2 3 |"
