"""`python -m aiface` on Ray with the finder and detector of `scene`, each look slowed; some pictures kill the worker.

python tests/colours_on_ray.py SECONDS analyze ...
"""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import scene

POISON = (80, 250, 80)  # green grounds


class Finder(scene.Finder):
    """As `scene.Finder`, so many seconds slower; a picture on poison green kills the process."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self._seconds = seconds

    def __call__(self, image):
        time.sleep(self._seconds)
        if tuple(image[0, 0]) == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(image)


def load(seconds=0.0, *_):
    """What a worker judges with."""
    return Finder(seconds), scene.detector()


def main(seconds, *arguments):
    """The command line, in which workers load these."""
    import colours_on_ray  # by this name it is found on workers too
    import judge_by_colour

    from aiface.apps.engines import ray as ray_engine

    ray_engine.load = partial(colours_on_ray.load, float(seconds))
    return judge_by_colour.main(arguments)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(*sys.argv[1:]))
