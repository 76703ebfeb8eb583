"""Folders of reports in headless Chromium, from the disk, after they were sent on."""

import io
import shutil

import chromium
import numpy as np
import pytest
import scene
from clips import seconds, write_clip
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Settings
from aiface.reports.folder import Reports

pytestmark = chromium.needed
PAGES = ("plays-mp4-*.html", "anew-avi-*.html")  # a clip that browsers play as it is, and one that none does
END, SECOND = 3.6, 2.4  # seconds that are judged, and when the second person comes


def moment(index):
    """A frame whose lower right corner tells the moment."""
    people = [(20, 30, 100, RED), *([(180, 40, 90, BLUE)] if index * 0.1 >= SECOND - 0.01 else [])]
    image = picture(*people)
    image[-40:, -40:] = 40 + 5 * index
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of reports that was moved, and what it is on removed."""
    made = tmp_path_factory.mktemp("made")
    (made / "in").mkdir()
    for name, codec in (("plays.mp4", "libx264"), ("anew.avi", "mpeg4")):
        write_clip(made / "in" / name, seconds(37), moment, (WIDTH, HEIGHT), codec=codec)
    reports = Reports(made / "out", scene.Finder(), scene.detector(), Settings())
    for analysis in analyze([made / "in"], scene.Finder(), scene.detector()):
        reports.add(analysis)
    shutil.rmtree(made / "in")
    return (made / "out").rename(made / "sent on")


@pytest.fixture(scope="module")
def driver():
    driver = chromium.browser()
    yield driver
    driver.quit()


class Shown:
    """A page in the browser."""

    def __init__(self, driver, path):
        self.driver = driver
        chromium.asked(driver), chromium.errors(driver)
        driver.get(path.as_uri())
        if self.find("video"):
            self.until("return document.querySelector('video').readyState >= 1")

    def find(self, selector):
        return self.driver.find_elements("css selector", selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script):
        return chromium.until(self.driver, lambda: self.run(script))

    def press(self, *keys):
        chromium.webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def settled(self):
        self.until("return !document.querySelector('video').seeking")
        return self.at

    @property
    def at(self):
        return self.run("return document.querySelector('video').currentTime")

    @property
    def hand(self):
        """Where the hand stands, as a share of the timeline's width."""
        return self.run(
            "const [line, hand] = ['.timeline', '.hand'].map(e => document.querySelector(e).getBoundingClientRect());"
            "return (hand.left + hand.width / 2 - line.left) / line.width"
        )

    def corner(self):
        """How bright the picture's lower right corner is."""
        (clip,) = self.find("video")
        self.run("arguments[0].controls = false; return new Promise(requestAnimationFrame)", clip)
        image = np.asarray(Image.open(io.BytesIO(clip.screenshot_as_png)).convert("L"))
        return int(np.median(image[-40:-20, -40:-20]))


@pytest.fixture(params=PAGES)
def shown(driver, folder, request):
    (path,) = folder.glob(request.param)
    yield Shown(driver, path)
    chromium.restore(driver)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_click_on_the_timeline_goes_there(shown, width, share):
    chromium.as_wide(shown.driver, width)
    (timeline,) = shown.find(".timeline")
    shown.run("arguments[0].scrollIntoView({block: 'center'})", timeline)
    moved = round((share - 0.5) * timeline.size["width"])
    chromium.webdriver.ActionChains(shown.driver).move_to_element_with_offset(timeline, moved, 0).click().perform()
    assert shown.settled() == pytest.approx(share * END, abs=0.05)
    assert shown.hand == pytest.approx(share, abs=0.02)
    assert float(timeline.get_attribute("aria-valuenow")) == pytest.approx(share * END, abs=0.1)
    assert shown.run("return document.documentElement.scrollWidth") <= width


def test_people_and_faces_go_to_their_moments(shown):
    chips = shown.find(".chip")
    assert [chip.text for chip in chips] == ["person 1: AI 1.00", "person 2: real 0.00"]
    for chip, at in zip(chips, (0, SECOND), strict=True):
        chip.click()
        assert shown.settled() == pytest.approx(at, abs=0.01)
    faces = shown.find(".faces a")
    assert len(faces) > 8
    for face in (faces[0], faces[5], faces[-1]):
        at = float(face.get_attribute("data-at"))
        face.click()
        assert shown.settled() == pytest.approx(at, abs=0.01)
        assert shown.hand == pytest.approx(at / END, abs=0.01)
        assert "now" in face.get_attribute("class")
        assert face.text.startswith(f"{at:.1f} s: ")
        assert shown.corner() == pytest.approx(40 + 50 * at, abs=2)  # another frame is five off or more


def test_the_hand_moves_while_it_plays(shown):
    (timeline,) = shown.find(".timeline")
    shown.run("document.querySelector('video').muted = true; arguments[0].focus()", timeline)
    shown.press(" ")
    shown.until("return document.querySelector('video').currentTime > 0.5")
    first = shown.hand
    shown.until("return document.querySelector('video').currentTime > 1.5")
    assert shown.hand > first > 0.1
    shown.press(" ")
    shown.until("return document.querySelector('video').paused")
    assert shown.hand == pytest.approx(shown.at / END, abs=0.02)


def test_by_keyboard(shown):
    from selenium.webdriver.common.keys import Keys

    shown.run("document.querySelector('video').focus()")
    met = []
    for _ in range(30):
        shown.press(Keys.TAB)
        met.append(shown.run("const e = document.activeElement; return e.getAttribute('role') || e.dataset.at || ''"))
    first = met.index("slider")
    assert met[first + 1 : first + 4] == ["0.000", "2.400", "0.000"]  # the people, then the first face
    shown.run("document.querySelector('.timeline').focus()")
    for key, at in ((Keys.END, END), (Keys.ARROW_LEFT, END - END / 20), (Keys.HOME, 0), (Keys.ARROW_RIGHT, END / 20),
                    (Keys.PAGE_UP, END / 20 + END / 10), (Keys.PAGE_DOWN, END / 20)):  # fmt: skip
        shown.press(key)
        assert shown.settled() == pytest.approx(at, abs=0.05)
    shown.press(Keys.TAB, Keys.TAB, Keys.ENTER)
    assert shown.settled() == pytest.approx(SECOND, abs=0.01)


def test_nothing_is_asked_from_elsewhere(shown, folder):
    shown.find(".chip")[-1].click()
    shown.settled()
    asked = chromium.asked(shown.driver)
    assert len(asked) >= 2  # the page and the clip
    assert [address for address in asked if not address.startswith(folder.as_uri() + "/")] == []
    assert chromium.errors(shown.driver) == []


def test_on_paper_there_is_no_player(shown):
    visible = "return ['video', '.hand', '.hint', '.timeline', '.faces img'].map(e => document.querySelector(e)" \
              ".checkVisibility())"  # fmt: skip
    assert shown.run(visible) == [True] * 5
    shown.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert shown.run(visible) == [False, False, False, True, True]


def test_a_page_without_its_clip_says_so(driver, folder, tmp_path):
    (path,) = folder.glob(PAGES[0])
    page = Shown.__new__(Shown)
    page.driver = driver
    driver.get(shutil.copy(path, tmp_path / "alone.html").as_uri())
    (gone,) = page.find(".gone")
    chromium.until(driver, gone.is_displayed)
    assert path.with_suffix(".mp4").name in gone.text


# The index

ROWS = (  # path, verdict, score, people, what it says
    ("b10.png", "ai", 0.97, 1, []), ("b9.png", "ai", 0.91, 2, ["EXIF Software: Sora"]), ("c.mp4", "real", 0.05, 10, []),
    ("http://host/a.mp4", "inconclusive", None, 0, None), ("<d>.png", "error", None, 0, None),
    ("notes.txt", "skipped", None, 0, None),
)  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    rows = [
        {"path": path, "verdict": verdict, "score": score, "people": people, "says_generated": says, "why": "why not",
         "report": "a.html", "json": "a.json", "warnings": [], "each_person": []}
        for path, verdict, score, people, says in ROWS
    ]  # fmt: skip
    return Reports(folder, scene.Finder(), scene.detector(), Settings()).write_index(rows)


@pytest.fixture
def listed(driver, index):
    yield Shown(driver, index)
    chromium.restore(driver)


def names(page):
    return [row.find_element("css selector", "td").text for row in page.find("tbody tr") if row.is_displayed()]


def sorts(page):
    return [head.get_attribute("aria-sort") for head in page.find("th")]


ORDER = ["b10.png", "b9.png", "http://host/a.mp4", "c.mp4", "<d>.png", "notes.txt"]  # the worst first


@pytest.mark.parametrize(
    ("column", "presses", "expected"),
    [
        (0, 1, ["<d>.png", "b9.png", "b10.png", "c.mp4", "http://host/a.mp4", "notes.txt"]),
        (0, 2, ["notes.txt", "http://host/a.mp4", "c.mp4", "b10.png", "b9.png", "<d>.png"]),
        (1, 1, ORDER),
        (2, 1, ["b10.png", "b9.png", "c.mp4", *[name for name in ORDER if name not in ("b10.png", "b9.png", "c.mp4")]]),
        (2, 2, ["c.mp4", "b9.png", "b10.png", "http://host/a.mp4", "<d>.png", "notes.txt"]),
        (3, 1, ["c.mp4", "b9.png", "b10.png", "http://host/a.mp4", "<d>.png", "notes.txt"]),
        (4, 1, ["b9.png", *[name for name in ORDER if name != "b9.png"]]),
    ],
)
def test_columns_sort(listed, column, presses, expected):
    from selenium.webdriver.common.keys import Keys

    assert (names(listed), sorts(listed)) == (ORDER, ["none"] * 6)
    button = listed.find("th button")[column]
    for _ in range(presses):
        button.send_keys(Keys.ENTER)
    assert names(listed) == expected
    falling = (column in (2, 3)) == (presses == 1)
    assert sorts(listed) == ["none"] * column + ["descending" if falling else "ascending"] + ["none"] * (5 - column)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"verdict": "ai"}, ["b10.png", "b9.png"]),
        ({"verdict": "skipped"}, ["notes.txt"]),
        ({"low": "0.95"}, ["b10.png"]),
        ({"high": "0.95"}, ["b9.png", "c.mp4"]),
        ({"low": "0.05", "high": "0.05"}, ["c.mp4"]),
        ({"says": "yes"}, ["b9.png"]),
        ({"says": "no"}, ["b10.png", "c.mp4"]),
        ({"says": "unknown"}, ["http://host/a.mp4", "<d>.png", "notes.txt"]),
        ({"name": "PNG", "verdict": "ai"}, ["b10.png", "b9.png"]),
        ({"name": "nobody"}, []),
    ],
)
def test_rows_are_filtered(listed, wanted, expected):
    for name, value in wanted.items():
        (field,) = listed.find(f"[name={name}]")
        if field.tag_name == "select":
            field.find_element("css selector", f"[value='{value}']").click()
        else:
            field.send_keys(value)
    assert names(listed) == expected
    (status,) = listed.find("[role=status]")
    assert status.text == f"{len(expected)} of 6 are shown."
    listed.find("button[type=reset]")[0].click()
    chromium.until(listed.driver, lambda: names(listed) == ORDER)
    assert status.text == ""


@pytest.mark.parametrize("width", [1280, 360])
def test_the_index_fits_and_asks_for_nothing(listed, index, width):
    chromium.as_wide(listed.driver, width)
    listed.driver.refresh()
    assert listed.run("return document.documentElement.scrollWidth") <= width
    assert set(chromium.asked(listed.driver)) == {index.as_uri()}
    assert chromium.errors(listed.driver) == []
    assert listed.find("body > p")[-1].text == "6 inputs: 4 judged, 1 could not be judged, 1 skipped."


def test_the_index_on_paper(listed):
    listed.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert names(listed) == ORDER
    assert not listed.find(".filters")[0].is_displayed()
