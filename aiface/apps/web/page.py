"""The web app's page: drop a picture or a clip and watch it being judged, or let your camera be.

Gradio is an optional extra, imported only when the page is built. Nothing that the browser gets lies on the disk:
pictures and the report are `data:` URLs in the page; what it sends is deleted after it was judged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiface.apps.web import answer_page
from aiface.apps.web.streams import FULL, Live, judge
from aiface.apps.web.uploads import Uploads
from aiface.errors import AifaceError
from aiface.faces.finder import Finder
from aiface.models.detector import Detector

if TYPE_CHECKING:
    import gradio

INTRO = (
    "# Is the face in it a person, or was it generated?\n"
    "aiface looks at each face and answers: looks real, looks AI-generated, or inconclusive. It is a statistical "
    "judgement and **not proof**. What you send stays on this server and is deleted after it was judged."
)
CAMERA = (
    "Allow your camera, then press its record button; press it again to stop. Pictures are judged and not kept. A "
    "browser gives its camera only to this computer's own address and to https addresses."
)
# The browser itself then refuses whatever would ask another host, or show this page within another
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
HEADERS = ((b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer"))
# Of Gradio's services: reading files from this machine or through it, converting videos, editing the page
CLOSED = tuple(f"/gradio_api/{name}" for name in ("file", "proxy", "process_recording", "vibe", "component_server"))
MINUTE = 60  # seconds: how often, and at which age, what Gradio itself keeps of uploads is deleted


@dataclass(frozen=True)
class Limits:
    """What one may ask of the app.

    megabytes: of a file. seconds: of a clip that are judged. jobs: files judged at once. waiting: that may wait for it.
    cameras: at once. fps: pictures of a camera judged each second.
    """

    megabytes: float
    seconds: float
    jobs: int
    waiting: int
    cameras: int
    fps: float = 5


def build(finder: Finder, detector: Detector, limits: Limits, folder: str | Path) -> "gradio.Blocks":
    """The app as Gradio's `Blocks`. `folder` is where uploads lie while they are judged; see `serve`."""
    import gradio as gr

    uploads = Uploads(folder, limits.jobs + limits.waiting)
    cameras = Live(finder, detector, limits.cameras)

    def claim(path: str | None, request: gr.Request) -> str:
        if path and uploads.claim(request.session_hash, path):
            return answer_page.waiting("Waiting for a free place...")
        return answer_page.problem(FULL if path else "No file came; please choose it again.")

    def show(request: gr.Request) -> Iterator[str]:
        if (path := uploads.of(request.session_hash)) is None:
            yield gr.skip()
            return
        try:
            yield from judge(path, finder, detector, limits.seconds)
        finally:
            uploads.release(request.session_hash, path)

    def leave(request: gr.Request) -> None:
        uploads.release(request.session_hash)

    def clear(request: gr.Request) -> str:
        leave(request)
        return ""

    def look(image: np.ndarray | None, request: gr.Request) -> str:
        return gr.skip() if image is None else cameras.look(request.session_hash, image)

    with gr.Blocks(title="aiface", analytics_enabled=False, delete_cache=(MINUTE, MINUTE)) as page:
        gr.Markdown(INTRO)
        with gr.Tab("Picture or clip"):
            gr.Markdown(f"Choose a file, or drop it here. Of a clip the first {limits.seconds:g} seconds are judged.")
            label = f"A picture or a clip, up to {limits.megabytes:g} MB"
            file = gr.File(label=label, file_types=["image", "video"], height=160, elem_id="file")
            verdict = gr.HTML(elem_id="verdict")
        with gr.Tab("Live camera"):
            gr.Markdown(CAMERA)
            options = {"sources": ["webcam"], "streaming": True, "webcam_options": gr.WebcamOptions(mirror=False)}
            with gr.Row():  # one below the other on a phone
                with gr.Column():
                    camera = gr.Image(label="Your camera", buttons=[], elem_id="camera", **options)
                with gr.Column():
                    seen = gr.HTML(elem_id="seen")
        for component in (file, camera):
            _no_addresses(component)
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        claimed = file.upload(claim, file, verdict, queue=False, **quiet)
        shown = claimed.success(show, None, verdict, concurrency_limit=limits.jobs, **quiet)
        file.clear(clear, None, verdict, cancels=shown, queue=False, **quiet)
        camera.stream(look, camera, seen, stream_every=1 / limits.fps, concurrency_limit=4 * limits.cameras, **quiet)
        page.unload(leave)
    return page


def _no_addresses(component: "gradio.blocks.Block") -> None:
    """Keep Gradio from fetching what a client gives by an address instead of sending it."""
    move = component.async_move_resource_to_block_cache

    async def local(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise AifaceError(f"expected a file that was sent, found an address ({path})")
        return await move(path)

    component.async_move_resource_to_block_cache = local


def serve(page: "gradio.Blocks", limits: Limits, host: str, port: int) -> None:
    """Start serving what `build` made, in threads of its own; `page.close()` ends it.

    Raises `AifaceError` if the address can't be had.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}  # none from Google
    page.queue(max_size=None, default_concurrency_limit=limits.jobs)
    try:
        page.launch(
            server_name=host, server_port=port, share=False, ssr_mode=False, pwa=False, mcp_server=False,
            run_history=False, enable_monitoring=False, footer_links=[], prevent_thread_lock=True, quiet=True,
            inbrowser=False, max_file_size=round(limits.megabytes * 2**20), state_session_capacity=200,
            theme=gr.themes.Default(**fonts), css=answer_page.CSS, app_kwargs={"middleware": [Middleware(_Guard)]},
        )  # fmt: skip
    except Exception as error:  # OSError, or one of Gradio's own
        raise AifaceError(
            f"{host}:{port}: expected a free address of this machine, found {error}; choose --port"
        ) from None


class _Guard:
    """ASGI middleware: security headers on each answer, and nothing is answered that the page does not need."""

    def __init__(self, app: Callable):
        self._app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        async def with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message["headers"], *HEADERS]}
            await send(message)

        if scope["type"] == "http" and scope["path"].startswith(CLOSED):
            scope = scope | {"path": "/not-found"}
        await self._app(scope, receive, with_headers)
