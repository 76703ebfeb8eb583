"""`make evaluate`: the bars, the audit's section and the whole run, on made-up figures and sets."""

import json

import numpy as np
import pytest
import trees
from clips import FakeFinder
from measured import CheckerDetector, clips, degraded, scored

from aiface.audit.audit import audit
from aiface.data.folders import scan
from benchmarks.quality import evaluate
from benchmarks.quality.evaluate import PAIR, PAIR_CURVES, Bar, audit_text, bars, bars_table, main, pair_figures

GOOD = [("real", "real"), ("real", "inconclusive"), *[("ai", "ai")] * 3, ("ai", "real")]
MEASURES = (
    "faces140k: AUC", "wild: AUC, all", "wild: AUC of the worst", "deepfake: AUC", "degraded", "false positives",
    "faces140k and wild: ECE", "real clips", "AI clips", "gain",
)  # fmt: skip


def row(auc, n_real=100, n_ai=100, fpr=0.01):
    intervals = {"auc": (auc - 0.01, auc + 0.01), "fpr_at_1": (0.0, 0.02)}
    return {"auc": auc, "fpr_at_1": fpr, "n_real": n_real, "n_ai": n_ai, "intervals": intervals}


def result(faces=0.97, wild=0.985, worst=0.96, deepfake=0.80, degraded=0.90, fpr=0.05, ece=0.05, judged=GOOD):
    """A result that just meets every bar, but for what a test changes."""
    sources = {"gan": row(worst, n_ai=40), "flux": row(0.99, n_ai=60)}
    sources |= {"camera": row(0.5, 20, fpr=fpr), "studio": row(0.5, 80)}
    sets = {"faces140k": row(faces), "wild": row(wild), "deepfake": row(deepfake)}
    return {
        "sets": {name: found | {"sources": sources if name == "wild" else {}} for name, found in sets.items()},
        "clips": {"street": clips(*judged)} if judged else {},
        "pair": {"ece": ece, "intervals": {"ece": (0.01, 0.09)},
                 "degraded": {"JPEG quality 30": row(0.95), "blur sigma 2": row(degraded)}},
    }  # fmt: skip


def ablation(wild=0.8, deepfake=0.7, degraded=0.7, name="reference recipe"):
    reference = {"name": name, "auc": {"faces140k": 0.9, "wild": wild, "deepfake": deepfake}, "degraded": degraded}
    return {"rows": [reference, {"name": "ours", "auc": {"wild": 1.0, "deepfake": 1.0}, "degraded": 1.0}]}


def bar(found, measure):
    return next(each for each in found if each.measure.startswith(measure))


def test_every_bar_has_its_measure():
    found = bars(result(), ablation())
    assert [each.measure.startswith(measure) for each, measure in zip(found, MEASURES, strict=True)] == [True] * 10
    assert all(each.met for each in found)


@pytest.mark.parametrize(
    ("measure", "change", "found"),
    [
        ("faces140k: AUC", {"faces": 0.969}, "0.969 [0.959, 0.979]"),
        ("wild: AUC, all", {"wild": 0.984}, "0.984 [0.974, 0.994]"),
        ("wild: AUC of the worst", {"worst": 0.95}, "0.950 [0.940, 0.960] (gan)"),
        ("deepfake: AUC", {"deepfake": 0.79}, "0.790 [0.780, 0.800]"),
        ("degraded", {"degraded": 0.89}, "0.890 [0.880, 0.900] (blur sigma 2)"),
        ("false positives", {"fpr": 0.06}, "6.0% [0.0%, 2.0%] (camera, 20 faces)"),
        ("faces140k and wild: ECE", {"ece": 0.051}, "0.051 [0.010, 0.090]"),
        ("real clips", {"judged": [("real", "ai"), *GOOD]}, "1 of 3"),
        ("AI clips", {"judged": [("ai", "real"), *GOOD]}, "3 of 5"),
    ],
)
def test_a_bar_that_is_missed_says_so(measure, change, found):
    held = bars(result(**change), ablation(wild=0.5))
    assert bar(held, measure).met is False
    assert bar(held, measure).found == found
    assert [each.measure for each in held if not each.met] == [bar(held, measure).measure]


@pytest.mark.parametrize(
    ("measure", "missing"),
    [("faces140k: AUC", "faces140k"), ("wild: AUC, all", "wild"), ("wild: AUC of the worst", "wild"),
     ("deepfake: AUC", "deepfake"), ("gain", "deepfake")],
)  # fmt: skip
def test_a_set_that_is_not_there_is_not_measured(measure, missing):
    without = result()
    del without["sets"][missing]
    found = bar(bars(without, ablation()), measure)
    assert (found.found, found.met) == ("not measured", None)


def test_nothing_measured():
    found = bars({"sets": {}, "clips": {}}, None)
    assert [(each.found, each.met) for each in found] == [("not measured", None)] * 10


@pytest.mark.parametrize("judged", [[("real", "real")], [("ai", "ai")]])
def test_clips_of_one_class(judged):
    found = bars(result(judged=judged))
    assert [bar(found, f"{word} clips").met for word in ("real", "AI")] == [
        True if judged[0][0] == "real" else None, True if judged[0][0] == "ai" else None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "met", "found"),
    [
        (None, None, "not measured"),
        ({"rows": []}, None, "not measured"),
        (ablation(name="another"), None, "not measured"),
        (ablation(wild=0.9, deepfake=0.7, degraded=0.82), False, "+0.097 (0.903 against 0.807)"),
        (ablation(wild=0.8, deepfake=0.7, degraded=0.8), True, "+0.137 (0.903 against 0.767)"),
    ],
)
def test_gain_over_the_reference(reference, met, found):
    """Ours: wild 0.985, deepfake 0.80, degraded the mean of 0.95 and 0.90, together 0.903."""
    gain = bar(bars(result(), reference), "gain")
    assert (gain.found, gain.met) == (found, met)


def test_the_table_marks_what_is_missed():
    lines = bars_table([Bar("a", "1", "2", True), Bar("b", "1", "2", False), Bar("c", "1", "2", None)]).splitlines()
    assert [line.split(" | ")[-1].strip(" |") for line in lines[2:]] == ["met", "**missed**", "not measured"]


def test_the_pair_is_pooled():
    sets = {name: scored({name: (20, 20)}, seed=seed) for seed, name in enumerate(PAIR)}
    found = pair_figures(sets, degraded(sets), 5)
    scores, labels = (np.concatenate([getattr(sets[name], key) for name in PAIR]) for key in ("scores", "labels"))
    bins = np.minimum((scores.astype(float) * 15).astype(int), 14)
    gaps = [abs((scores - labels)[bins == number].sum()) for number in range(15)]
    assert found["ece"] == pytest.approx(sum(gaps) / len(scores), rel=1e-5)
    assert found["degraded"]["blur sigma 2"]["auc"] == degraded(sets).curves()["all"]["blur sigma"]["2"]
    assert "blur sigma clean" not in found["degraded"]


def test_the_strengths_are_those_of_the_bars():
    assert {kind: list(curve) for kind, curve in PAIR_CURVES.items()} == {
        "JPEG quality": [30], "blur sigma": [2], "scaled down to": [128], "noise sigma": [10], "H.264 crf": [35],
    }  # fmt: skip


@pytest.fixture(scope="module")
def sets(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return [make_tree(folder / name, ("test",), 6, seed) for seed, name in enumerate(PAIR)]


def test_the_audit_tells_scores_and_findings(sets, tmp_path):
    found = {"png": audit(scan(trees.plain(tmp_path / "png", suffix=".png"))), "alike": audit(scan(sets[0]))}
    text = audit_text(found)
    score = found["png"].shortcut.scores["metadata"]
    assert score.auc > 0.9
    assert f"| png | 120 | {score} |" in text
    assert "| alike | 12 | too few pictures | too few pictures | too few pictures |" in text
    listed = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| png | ")][1:]
    assert listed == [["| png", each.severity] for each in found["png"].findings]
    assert all(each.sentence in text for each in found["png"].findings)


def test_an_audit_without_findings(sets):
    assert audit_text({"alike": audit(scan(sets[0]))}).endswith("Nothing found.")


def test_the_audit_tells_what_training_is_shown(sets):
    of_training = {
        "as cut out": {"low_level": {"auc": 0.72, "low": 0.7, "high": 0.75, "n_real": 9, "n_ai": 9}},
        "as shown": {"low_level": {"auc": 0.57, "low": 0.54, "high": 0.6, "n_real": 9, "n_ai": 9}},
        "of too few": {},
    }
    text = audit_text({"alike": audit(scan(sets[0]))}, of_training)
    assert "(`train.ipynb`): as cut out 0.72 (0.70 to 0.75), as shown 0.57 (0.54 to 0.60)." in text


def test_the_whole_run(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "load_detector", lambda folder: CheckerDetector())
    monkeypatch.setattr(evaluate, "load_finder", lambda folder: FakeFinder())
    (tmp_path / "ablation.json").write_text(json.dumps(ablation()), encoding="utf-8")
    out = tmp_path / "docs"
    arguments = ["bundle", *map(str, sets), "--out", str(out), "--resamples", "3"]
    assert main([*arguments, "--ablation", str(tmp_path / "ablation.json")]) == 0
    printed = capsys.readouterr().out
    text = (out / "RESULTS.md").read_text(encoding="utf-8")
    assert printed.startswith("| measure | found | bar | held |")
    assert f"\n## Bars\n\n{evaluate.BARS_TEXT}\n\n{printed}" in text
    assert text.index("## Bars") < text.index("## What else tells the classes apart")
    assert "`docs/EXPERIMENTS.md`" in text
    assert "\n## Degraded\n" in text
    pair = json.loads((out / "results.json").read_text(encoding="utf-8"))["pair"]
    assert len(pair["degraded"]) == 5


def test_without_curves_the_bars_are_whole(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "load_detector", lambda folder: CheckerDetector())
    monkeypatch.setattr(evaluate, "load_finder", lambda folder: FakeFinder())
    assert main(["bundle", *map(str, sets), "--out", str(tmp_path), "--resamples", "3", "--no-curves"]) == 0
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (found["curves"], len(found["pair"]["degraded"])) == ({}, 5)
    assert "\n## Degraded\n" not in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_what_cannot_be_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "load_detector", lambda folder: CheckerDetector())
    assert main(["bundle", str(tmp_path / "missing"), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("aiface: ")
