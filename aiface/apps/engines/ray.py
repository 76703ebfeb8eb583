"""Judge an archive on every core of a Ray cluster: Ray Data hands the inputs to workers that keep a warm detector.

A worker writes each report as soon as its input is judged, into a folder that all machines share. So where one dies,
its inputs go to another, which finds what is done and judges the rest: nothing is lost, and nothing stands there twice.
"""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from math import ceil
from pathlib import Path
from types import ModuleType

import cv2

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Analysis, Settings
from aiface.errors import AifaceError, ClusterError
from aiface.faces.finder import FaceFinder, load_finder
from aiface.io.files import atomic_path, shown
from aiface.io.media_kinds import is_image
from aiface.io.object_stores import fetched, is_store
from aiface.models.detector import Detector, load_detector
from aiface.paths import ROOT
from aiface.reports.folder import Reports

DEATHS = 3  # of workers, over one input, after which it is to blame
WAITING = 2  # tasks that a worker has at most: the one it is at, and the next
PICTURES = 32  # of a task at most
SHARES = 4  # tasks of pictures for each worker at least: who is done early takes another
PATIENCE = 10.0  # seconds for a cluster's first sign of life
STORE = 200 << 20  # bytes of Ray's own memory on this machine: only names and rows pass through it
COLUMNS = ("path", "verdict", "score", "people", "why", "says_generated", "report")

Load = Callable[[], tuple[FaceFinder, Detector]]


def load(detector: str, runtime: str, precision: str, weights: str) -> tuple[FaceFinder, Detector]:
    """What a worker judges with: folders are looked for on its own machine."""
    return load_finder(weights), load_detector(detector, runtime, precision)


class Judge:
    """A worker, with one thread: judges inputs and writes their reports into the folder `out`.

    place: the folder that relative names start from.
    """

    def __init__(self, load: Load, place: str, out: str, settings: Settings, explain: bool = False, play: bool = True,
                 pages: str = "all"):  # fmt: skip
        with suppress(OSError):  # on a machine that has no such folder, whole names still are what they are
            os.chdir(place)
        cv2.setNumThreads(1)
        self._finder, self._detector = load()
        self._settings = settings
        self._reports = Reports(out, self._finder, self._detector, settings, explain, play, pages)

    def __call__(self, batch: dict) -> dict:
        """What Ray Data calls: `names`, JSON lists of inputs, to `answers`, in JSON too (a name may be no text)."""
        names = [name for group in batch["names"] for name in json.loads(group)]
        return {"answers": [json.dumps(self.answer(name)) for name in names]}

    def answer(self, name: str) -> dict:
        """What `Reports.add` tells of an input that was judged now, or before by a worker that died."""
        return self._reports.done(name) or self._judge(name)

    def _judge(self, name: str) -> dict:
        """Judge an input, unless workers died over it; a file that grows by a byte with each try counts them."""
        tried = tries(self._reports, name)
        deaths = tried.stat().st_size if tried.exists() else 0
        if deaths >= DEATHS:
            error = f"{name}: expected a file that can be judged, found one over which {deaths} workers died; remove it"
            return self._reports.add(Analysis(name, error=error))
        tried.parent.mkdir(parents=True, exist_ok=True)
        with tried.open("ab") as file:
            file.write(b".")
        with ExitStack() as stack:
            found = self._reports.add(self._analyze(name, stack))
        tried.unlink(missing_ok=True)
        return found

    def _analyze(self, name: str, stack: ExitStack) -> Analysis:
        try:
            copy = stack.enter_context(fetched(name)) if is_store(name) else None
            (analysis,) = analyze([copy or name], self._finder, self._detector, self._settings)
        except AifaceError as error:
            return Analysis(name, error=str(error))
        except Exception as error:  # a fault of ours that one input shows must not keep the others from an answer
            return Analysis(name, error=f"{name}: judging it failed with {type(error).__name__}: {error}; report this")
        return analysis.named(name) if copy else analysis


def tries(reports: Reports, name: str | Path) -> Path:
    """The file that counts how often judging an input was begun and not ended."""
    page = reports.path(name)
    return page.with_name(f".{page.stem}.tried")


def judge(
    load: Load, settings: Settings, explain: bool, names: Iterable[str | Path], reports: Reports
) -> Iterator[dict]:
    """Judge inputs on the cluster that this process is connected to; the answers as `Judge.answer` gives them.

    One for each input, in any order. What failed for the moment, such as an address, is tried once more in the end, by
    whichever worker is free. Raises `ClusterError` if no worker can be had.
    """
    reports.folder.mkdir(parents=True, exist_ok=True)
    _forget_tries(reports)
    arguments = (load, str(Path.cwd()), str(reports.folder.absolute()), settings, explain, reports.play, reports.pages)
    todo = [str(name) for name in names]
    for last in (False, True):
        failed = []
        for answer in _map(todo, arguments) if todo else ():
            if answer["again"] and not last:
                failed.append(answer["row"]["path"])
            else:
                yield answer
        todo = failed
    _forget_tries(reports)


def _forget_tries(reports: Reports) -> None:
    for left in reports.folder.glob(".*.tried"):
        left.unlink(missing_ok=True)


def _map(names: Sequence[str], arguments: tuple) -> Iterator[dict]:
    ray = _ray()
    workers = max(1, int(ray.cluster_resources().get("CPU", 0)))
    tasks = [{"names": json.dumps(group)} for group in groups(names, workers)]
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=workers, max_tasks_in_flight_per_actor=WAITING)
    found = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
        Judge, fn_constructor_args=arguments, compute=pool, num_cpus=1, batch_size=1, batch_format="numpy",
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(_places())}},
    )  # fmt: skip
    try:
        yield from (json.loads(row["answers"]) for row in found.iter_rows())
    except ray.exceptions.RayError as error:
        if isinstance(cause := getattr(error, "cause", None), AifaceError):
            raise cause from None
        reason = str(error).strip().splitlines()[-1]
        raise ClusterError(
            f"expected workers that judge, found: {reason}; what is done stays, so run the same command again"
        ) from error


def _places() -> Iterator[str]:
    """Where workers look for this package, besides where theirs is installed: a checkout, and what was set here."""
    yield str(ROOT)
    yield from filter(None, [os.environ.get("PYTHONPATH")])


def groups(names: Sequence[str], workers: int) -> list[list[str]]:
    """The names as tasks for workers: what may be long alone and first, pictures many at once."""
    stills = [name for name in names if is_image(Path(name))]
    size = min(PICTURES, ceil(len(stills) / (SHARES * workers)) or 1)
    rest = [[name] for name in names if not is_image(Path(name))]
    return rest + [stills[at : at + size] for at in range(0, len(stills), size)]


def write_table(path: str | Path, rows: Iterable[dict]) -> Path:
    """Write rows of the index as Parquet, whole or not at all, ordered by path, names as `shown`."""
    import pyarrow
    from pyarrow import parquet

    texts = pyarrow.list_(pyarrow.string())
    kinds = dict(zip(COLUMNS, ("string", "string", "float64", "int64", "string", texts, "string"), strict=True))
    rows = sorted(({name: row[name] for name in COLUMNS} for row in rows), key=lambda row: row["path"])
    columns = {name: pyarrow.array([_text(row[name]) for row in rows], kind) for name, kind in kinds.items()}
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.table(columns), temporary)
    return Path(path)


def _text(value: object) -> object:
    if isinstance(value, list):
        return [shown(each) for each in value]
    return shown(value) if isinstance(value, str) else value


@contextmanager
def cluster(address: str | None = None, workers: int | None = None) -> Iterator[None]:
    """Be connected to a cluster: that of `address`, or of RAY_ADDRESS, or one of this machine's cores alone.

    workers: how many of these cores. Where there is a connection already, it is used and left. Raises `ClusterError`
    where Ray is not installed or no cluster answers.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports its use to its makers
    own = {"num_cpus": workers, "object_store_memory": STORE, "include_dashboard": False} if address == "local" else {}
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ClusterError(f"{address}: expected a Ray cluster, found: {reason}; start one with `ray start`") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens at a `host:port`: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and "://" not in address:
        socket.create_connection((host, int(port)), PATIENCE).close()


def _ray() -> ModuleType:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ClusterError(f"expected Ray, found none ({error}); install it: pip install 'aiface[ray]'") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    return ray
