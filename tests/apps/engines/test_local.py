import pytest
import scene
from PIL import Image
from scene import BLUE, RED, picture

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Settings
from aiface.apps.engines import local
from aiface.reports.folder import Reports


@pytest.fixture
def archive(tmp_path):
    """Three inputs, one of them no picture."""
    for name, colour in (("a", RED), ("b", BLUE)):
        Image.fromarray(picture((20, 30, 100, colour))).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    return [tmp_path / f"{name}.png" for name in "abc"]


def judged(archive, out):
    reports = Reports(out, scene.Finder(), scene.detector(), Settings())
    return reports, local.judge(scene.Finder(), scene.detector(), Settings(), archive, reports)


def test_each_input_has_an_answer_and_a_report(archive, tmp_path):
    reports, answers = judged(archive, tmp_path / "out")
    rows = [answer["row"] for answer in answers]
    assert [(row["path"], row["verdict"]) for row in rows] == [
        (str(path), verdict) for path, verdict in zip(archive, ("ai", "real", "error"), strict=True)
    ]
    assert all(reports.path(path).is_file() for path in archive)


def test_what_is_stopped_by_hand_has_its_report_and_is_the_last(archive, tmp_path, monkeypatch):
    def stopped(*arguments):
        for analysis in analyze(*arguments):
            analysis.interrupted = True
            yield analysis

    monkeypatch.setattr(local, "analyze", stopped)
    reports, answers = judged(archive, tmp_path / "out")
    assert next(answers)["row"]["path"] == str(archive[0])
    with pytest.raises(KeyboardInterrupt):
        next(answers)
    assert [reports.path(path).is_file() for path in archive] == [True, False, False]
