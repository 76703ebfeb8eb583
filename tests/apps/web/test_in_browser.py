"""The web app end to end: the command with the shipped detector, in headless Chromium with a camera made of a clip."""

from contextlib import contextmanager

import chromium
import pytest
from clips import text
from PIL import Image
from served import free_port, served

from aiface.apps.demo import astronaut_clip
from aiface.provenance.claims import ABSENCE
from aiface.reports.wording import NOT_PROOF

WIDTHS = {"desktop": 1280, "phone": 390}
ANSWERS = {"Looks real", "Looks AI-generated", "Inconclusive"}

pytest.importorskip("gradio", reason="the web app needs gradio: pip install 'gradio>=6.31,<7'")
pytestmark = chromium.needed


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut):
    """Where the files to send lie."""
    folder = tmp_path_factory.mktemp("sent")
    astronaut_clip(folder / "clip.mp4", seconds=8)
    Image.fromarray(astronaut).save(folder / "photo.png")
    text(folder)
    chromium.camera_file(folder / "photo.png", folder / "camera.y4m")
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder for temporary files of the server."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def url(kept):
    port = free_port()
    with served(["-m", "aiface", "app", "--port", str(port)], TMPDIR=str(kept)) as line:
        assert line == f"aiface: http://127.0.0.1:{port}/\n"
        yield line.split()[1]
    assert list(kept.iterdir()) == []  # nothing stays behind


class Browser:
    """A page of the app in a browser of its own."""

    def __init__(self, driver, url):
        self.driver = driver
        driver.get(url)
        self.wait("#file input[type=file]")

    def find(self, selector):
        return self.driver.find_elements("css selector", selector)

    def until(self, condition):
        return chromium.until(self.driver, condition)

    def wait(self, selector):
        return self.until(lambda: self.find(selector))[0]

    def read(self, selector):
        """The text of an element that may be replaced at any moment."""
        return self.driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def send(self, path):
        self.find("#file input[type=file]")[0].send_keys(str(path))

    def press(self, *keys):
        chromium.webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        """What the focused element is called for those who can't see it."""
        return self.driver.execute_script(
            "const e = document.activeElement; return (e.getAttribute('aria-label') || e.innerText || '').trim()"
        )

    def asked(self):
        return chromium.asked(self.driver)

    def errors(self):
        return chromium.errors(self.driver)


@pytest.fixture
def browse(url, folder):
    """`browse(width)` opens the app in another browser."""
    with contextmanager(_browsers)(url, folder) as browse:
        yield browse


def _browsers(url, folder):
    drivers = []

    def browse(width=WIDTHS["desktop"]):
        drivers.append(chromium.browser(folder / "camera.y4m"))
        if width < 500:
            chromium.as_wide(drivers[-1], width)
        return Browser(drivers[-1], url)

    try:
        yield browse
    finally:
        for driver in drivers:
            driver.quit()


def assert_answer(found):
    assert found == "Inconclusive"  # of the astronaut


def assert_for_everyone(page, width):
    """It fits the width, every picture has a text, and every button a name."""
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert all(image.get_attribute("alt") for image in page.find("#verdict img, #seen img"))
    unnamed = "return [...document.querySelectorAll('button')].filter(b => b.checkVisibility() && !b.innerText.trim()"
    assert page.driver.execute_script(f"{unnamed} && !b.ariaLabel && !b.title).map(b => b.outerHTML)") == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_clip(browse, url, folder, width):
    page = browse(width)
    page.send(folder / "clip.mp4")
    page.wait("#verdict progress")
    assert "seconds judged" in page.read("#verdict") or page.find("#verdict .aiface-button")
    page.wait("#verdict .aiface-button")
    assert_answer(page.read("#verdict h2"))
    words = page.read("#verdict")
    for part in ("clip.mp4", NOT_PROOF, "How sure is this?", "Person 1", "Over time", ABSENCE):
        assert part in words
    assert len(page.find("#verdict .aiface-crops img")) >= 3
    assert page.find("#verdict .aiface-button")[0].get_attribute("href").startswith("data:text/html")
    assert_for_everyone(page, width)
    asked = page.asked()
    assert asked
    assert [address for address in asked if not address.startswith(url)] == []
    assert page.errors() == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_an_image_and_then_what_is_none(browse, folder, width):
    page = browse(width)
    page.send(folder / "photo.png")
    page.wait("#verdict .aiface-button")
    assert_answer(page.read("#verdict h2"))
    assert_for_everyone(page, width)
    page.find("#file button[aria-label=Clear]")[0].click()
    page.until(lambda: not page.find("#verdict .aiface"))
    page.send(folder / "text.mp4")
    page.wait("#verdict [role=alert]")
    assert page.read("#verdict h2") == "This could not be judged"
    assert "text.mp4: expected a picture (such as JPEG, PNG, WebP) or a clip" in page.read("#verdict")
    assert "Traceback" not in page.driver.page_source
    assert_for_everyone(page, width)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_camera(browse, url, width):
    page = browse(width)
    next(tab for tab in page.find("[role=tab]") if tab.text == "Live camera").click()
    page.until(lambda: [b for b in page.find("#camera button") if b.text == "Click to Access Webcam"])[0].click()
    page.until(lambda: [b for b in page.find("#camera button") if b.text == "Record"])[0].click()
    page.until(lambda: page.read("#seen h2") in {"Looking...", *ANSWERS})
    page.until(lambda: page.read("#seen h2") in ANSWERS)
    assert_answer(page.read("#seen h2"))
    assert "1 face in view" in page.read("#seen")
    assert NOT_PROOF in page.read("#seen")
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert [address for address in page.asked() if not address.startswith(url)] == []


def test_two_clients_at_once(browse, folder):
    one, two = browse(), browse()
    one.send(folder / "clip.mp4")
    two.send(folder / "photo.png")
    for page, mine, other in ((two, "photo.png", "clip.mp4"), (one, "clip.mp4", "photo.png")):
        page.wait("#verdict .aiface-button")
        assert mine in page.read("#verdict")
        assert other not in page.read("body")


def test_closing_a_file_stops_its_judging(browse, folder, kept, tmp_path):
    page = browse()
    page.send(astronaut_clip(tmp_path / "long.mp4", seconds=100))
    page.wait("#verdict progress")
    assert list(kept.rglob("aiface-*/long.mp4"))
    page.find("#file button[aria-label=Clear]")[0].click()
    page.until(lambda: not page.find("#verdict .aiface"))
    page.until(lambda: not [path for path in kept.rglob("long.mp4") if path.parent.name.startswith("aiface-")])


def test_by_keyboard(browse, folder):
    from selenium.webdriver.common.keys import Keys

    page = browse()
    page.send(folder / "photo.png")
    page.wait("#verdict .aiface-button")
    met = []
    for _ in range(12):
        page.press(Keys.TAB)
        met.append(page.focused())
    order = [met.index(name) for name in ("Picture or clip", "Clear", "Download the report")]
    assert order == sorted(order)
    tab = next(tab for tab in page.find("[role=tab]") if tab.text == "Live camera")
    page.driver.execute_script("arguments[0].focus()", tab)
    page.press(Keys.ENTER)
    page.until(lambda: [b for b in page.find("#camera button") if b.text == "Click to Access Webcam"])
