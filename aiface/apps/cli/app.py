"""The command `python -m aiface app`: its options, and the server's life. Cheap to import: help must come at once."""

import argparse
import ipaddress
import os
import signal
import sys
import tempfile
import threading

from aiface.apps.cli.judge import add_detector_options
from aiface.errors import AifaceError
from aiface.io.images import MAX_PIXELS

MISSING = (
    "python -m aiface app: expected Gradio 6.31 or newer, found none ({}); install it: pip install 'gradio>=6.31,<7'"
)
EXPOSE = """From another machine, open an SSH tunnel to this one, and then that address there:
  ssh -L {port}:127.0.0.1:{port} user@this-machine
For others to use it, put a reverse proxy with TLS and a password (such as Caddy or nginx) before it; without TLS their
browsers give no camera. Press Ctrl-C to stop."""
EXPOSED = (
    "aiface: warning: {} is no loopback address. Whoever reaches this machine can use the app, unencrypted and without "
    "a password; better leave --host away and use an SSH tunnel or a reverse proxy"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m aiface app`."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default 7860)")
    parser.add_argument("--max-upload", type=_positive, default=200.0, metavar="MB",
                        help="size of a file at most (default %(default)g)")  # fmt: skip
    parser.add_argument("--max-seconds", type=_positive, default=120.0, metavar="S",
                        help="how much of a clip is judged at most (default %(default)g)")  # fmt: skip
    parser.add_argument("--jobs", type=_count, default=2, help="files judged at once (default %(default)s)")
    parser.add_argument("--waiting", type=_count, default=8, help="files that may wait (default %(default)s)")
    parser.add_argument("--cameras", type=_count, default=4, help="cameras judged at once (default %(default)s)")
    add_detector_options(parser)


def _positive(text: str) -> float:
    if not 0 < (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected more than 0, found {text}")
    return value


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {text}")
    return value


def run(options: argparse.Namespace) -> int:
    """Serve the app until Ctrl-C. Raises `AifaceError` where Gradio is missing or the port is taken."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else what was uploaded would stay behind
    with tempfile.TemporaryDirectory(prefix="aiface-app-") as folder:
        _need_gradio(folder)
        _serve(options, folder)
    return 0


def _need_gradio(folder: str) -> None:
    # Gradio reads these when it is imported: nothing is reported, and what is uploaded lies in `folder`
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_TEMP_DIR": folder}
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise AifaceError(MISSING.format(error)) from None


def _serve(options: argparse.Namespace, folder: str) -> None:
    from PIL import Image

    from aiface.apps.web.page import Limits, build, serve
    from aiface.apps.web.streams import Shared
    from aiface.faces.finder import load_finder
    from aiface.models.detector import load_detector

    detector = load_detector(options.detector, precision=options.precision)
    finder = Shared(load_finder(options.weights))
    limits = Limits(options.max_upload, options.max_seconds, options.jobs, options.waiting, options.cameras)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Gradio decodes a camera's pictures, and may not be sent a bomb
    page = build(finder, detector, limits, folder)
    try:
        serve(page, limits, options.host, options.port)
        print(f"aiface: http://{options.host}:{options.port}/\n{EXPOSE.format(port=options.port)}", flush=True)
        if not _is_loopback(options.host):
            print(EXPOSED.format(options.host), file=sys.stderr, flush=True)
        threading.Event().wait()
    finally:
        page.close(verbose=False)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
