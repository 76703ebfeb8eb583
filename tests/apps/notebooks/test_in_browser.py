"""The notebook's widgets in JupyterLab, driven in headless Chromium: a file is sent, and a camera judged."""

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import chromium
import nbformat
import pytest
from PIL import Image
from served import ROOT, free_port

from aiface.apps.demo import astronaut_clip
from aiface.reports.wording import WORDS

pytestmark = chromium.needed

CELL = """
from aiface.apps.notebooks.widgets import Camera, Upload
from aiface.models.detector import load_detector
from aiface.faces.finder import load_finder
upload, camera = Upload("sent"), Camera(load_finder(), load_detector({weights!r}))
display(upload, camera)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut):
    folder = tmp_path_factory.mktemp("lab")
    cell = nbformat.v4.new_code_cell(CELL.format(weights=str(ROOT / "weights" / "mobilenet_v2")))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), folder / "page.ipynb")
    astronaut_clip(folder / "my clip.mp4", seconds=2)
    with (folder / "my clip.mp4").open("ab") as file:
        file.write(bytes(3 * 2**20))  # so that it comes in parts
    Image.fromarray(astronaut).save(folder / "photo.png")
    chromium.camera_file(folder / "photo.png", folder / "camera.y4m")
    return folder


@contextmanager
def jupyter(folder):
    """JupyterLab on a folder; yields its address."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={url.rpartition(':')[2]}",
        f"--notebook-dir={folder}",
    ]
    settings = ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(folder / ".jupyter")}
    with subprocess.Popen(
        [sys.executable, "-m", *command, *settings], env=environment, cwd=folder, stderr=subprocess.DEVNULL
    ) as server:
        try:
            while server.poll() is None and not _answers(f"{url}/api"):
                time.sleep(0.5)
            yield url
        finally:
            server.terminate()


def _answers(url):
    try:
        with urllib.request.urlopen(url):
            return True
    except OSError:
        return False


def test_a_file_and_a_camera_of_the_browser(folder):
    with jupyter(folder) as url:
        driver = chromium.browser(folder / "camera.y4m")
        try:
            driver.get(f"{url}/lab/tree/page.ipynb?reset")
            app = "window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'"
            chromium.until(driver, lambda: driver.execute_script(f"return {app}"))
            driver.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            (chooser,) = chromium.until(driver, lambda: driver.find_elements("css selector", "input[type=file]"))
            chooser.send_keys(str(folder / "my clip.mp4"))
            text = "return [...document.querySelectorAll('.jp-OutputArea')].map(e => e.innerText).join(' ')"
            chromium.until(driver, lambda: "my-clip.mp4 is here" in driver.execute_script(text))
            assert (folder / "sent" / "my-clip.mp4").read_bytes() == (folder / "my clip.mp4").read_bytes()
            (button,) = [b for b in driver.find_elements("css selector", "button") if b.text == "Start the camera"]
            button.click()
            answers = [words.lower() for words in WORDS.values()]
            chromium.until(driver, lambda: any(a in driver.execute_script(text).lower() for a in answers))
            driver.save_screenshot(str(folder / "lab.png"))
            button.click()
            assert button.text == "Start the camera"
        finally:
            driver.quit()
