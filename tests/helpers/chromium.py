"""Headless Chromium, with a camera that shows a file, for tests that look at pages as people do."""

import json
import shutil
import subprocess

import pytest

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
PATIENCE = 120  # seconds to wait at most for what must happen in the end

webdriver = pytest.importorskip("selenium.webdriver", reason="driving a browser needs selenium: pip install selenium")
needed = [
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (apt install chromium-driver)"
    ),
    pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg to make the camera's picture"),
]


def camera_file(photo, path):
    """A picture as the two seconds of video that a browser takes for its camera."""
    convert = ["ffmpeg", "-loglevel", "error", "-loop", "1", "-i", photo, "-t", "2", "-r", "10", "-pix_fmt", "yuv420p"]
    subprocess.run([*convert, path], check=True)
    return path


def browser(camera=None, *arguments):
    """A browser, to `quit`, whose camera shows `camera_file`'s file."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        "--window-size=1280,900", *([f"--use-file-for-fake-video-capture={camera}"] if camera else []), *arguments,
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))


def as_wide(driver, width, height=844):
    """Show pages in a window of this width; as a phone does below 500 pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def restore(driver):
    """Undo `as_wide`, and what pages are shown as paper by."""
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def asked(driver):
    """The addresses of all that the browser asked for since last time, other than within the page."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    found = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [address for address in found if not address.startswith(("data:", "blob:"))]


def errors(driver):
    """What the page complained of since last time."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def until(driver, condition):
    """What `condition()` returns once it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, PATIENCE).until(lambda _: condition())
