"""The web app in a process of its own, for tests: Gradio's threads and event loops outlive a `close`.

Run as `python tests/helpers/served.py FOLDER PORT` it judges by colour (see `scene`), takes files up to 1 MB, judges
one at a time and lets one wait; it prints the indices of the page's functions.
"""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

from aiface.paths import ROOT


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def served(command, **environment):
    """Run a command until the `with` block ends; yields its first line, once it serves. SIGTERM must end it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as server:
        try:
            yield server.stdout.readline()
        finally:
            server.terminate()
            server.communicate(timeout=60)


def main(folder, port):
    os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}

    import scene

    from aiface.apps.web.page import Limits, build, serve
    from aiface.apps.web.streams import Shared

    limits = Limits(megabytes=1, seconds=60, jobs=1, waiting=1, cameras=2)
    page = build(Shared(scene.Finder()), scene.detector(), limits, folder)
    serve(page, limits, "127.0.0.1", int(port))
    print(json.dumps({block.fn.__name__: index for index, block in page.fns.items() if block.fn}), flush=True)
    page.block_thread()


if __name__ == "__main__":
    main(*sys.argv[1:])
