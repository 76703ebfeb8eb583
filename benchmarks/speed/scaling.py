"""What an archive costs on one core, how that multiplies, how training is shared: docs/measured/SCALING.md.

    python -m benchmarks.speed.scaling --out docs

Each figure comes from a process of its own, bound to the cores it may use, with one thread; what is compared takes
turns.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Settings
from aiface.analysis.stopwatch import Stopwatch
from aiface.apps.engines import local
from aiface.apps.engines.ray import PICTURES as OF_A_TASK
from aiface.evaluation.report import markdown_table
from aiface.faces.crop import CROP_SIZE, crop_face
from aiface.faces.finder import YUNET_FILE, load_finder
from aiface.io.files import write_json, write_text
from aiface.io.images import read_image
from aiface.labels import Answer
from aiface.models.detector import load_detector
from aiface.paths import DETECTOR, ROOT, WEIGHTS
from aiface.reports.folder import MANY as MANY_PAGES
from aiface.reports.folder import Reports, plan
from aiface.reports.index import MOST as LISTED
from benchmarks.scenes import images, write_clip
from benchmarks.speed.clocks import MARK, NOT_MEASURED, Row, Spread, _seconds, at_least, machine

ROUNDS = 3
SECONDS = 10  # of the clip
CLIPS, PICTURES = 2, 32  # of the archive that both engines judge, all of the same scene
MANY = 20_000  # rows, to see what the ends of a job take
TASKS = 200
PROCESSES = (1, 2, 4)
STAGES = ("decode", "find", "crop", "score", "write", "rest")
MILLION, HOUR = 1_000_000, 3600
TRAINING = """\
## Training

    python -m aiface prepare DATA data/crops                      # once, into a folder that all see
    python -m aiface train RECIPE.yaml --set DEVICES=all          # every GPU of one computer, TensorFlow or JAX

    export KERAS_BACKEND=jax JAX_COORDINATOR_ADDRESS=FIRST:1234   # the first of several computers, a free port
    export JAX_NUM_PROCESSES=2 JAX_PROCESS_ID=0                   # 0 on the first, 1 on the second
    python -m aiface train RECIPE.yaml --set DEVICES=all          # on each of them

`BATCH_SIZE` is that of all devices together. Each process makes its own part of every batch, each device has the whole
network, and a step takes the gradients of all. `CROPS` and `RUN` are folders that all see. The first process alone
validates and writes; after training it goes on to calibrate, measure and save the detector, and the others end. Each
has its executed notebook: `train.ipynb`, `train-1.ipynb`. The processes ask nobody who they are and encrypt nothing:
join them in a network of your own.

When one is lost, the others end with an error within a minute or so. The same command on each goes on from the last
whole epoch, with as many processes or another number.

What was proven, on CPUs, by tests/test_distribution.py: two and four local processes over Gloo, and two devices of one
process with JAX and with TensorFlow, have the losses of each epoch and the weights of one device with the same batch,
to 1e-5; so has what goes on after one of them was killed in an epoch, the first or another, with fewer processes than
before. With TensorFlow that holds without dropout, of which each device draws its own, and with frozen batch
normalisations: from a random start (`INIT = "from-scratch"`) each device has statistics of its own. For several
computers TensorFlow has nothing that works with Keras 3 (keras#20585).

**Not measured: speed on several GPUs, and their own collectives (NCCL).** No machine with several was at hand.
"""
RUN = (
    "import json, sys; from benchmarks.speed import scaling; "
    "print(json.dumps(getattr(scaling, sys.argv[1])(*sys.argv[2:])))"
)


def archive(folder: Path) -> Path:
    """Clips and pictures of two people, 1280x720, under many names."""
    from PIL import Image

    folder.mkdir(parents=True)
    clip = write_clip(folder / "clip 0.mp4", SECONDS)
    for number in range(1, CLIPS):
        shutil.copy(clip, folder / f"clip {number}.mp4")
    for number, image in enumerate(islice(images(), PICTURES)):
        Image.fromarray(image).save(folder / f"picture {number:03}.jpg", quality=90)
    return folder


def run(function: str, cores: int, *arguments: object) -> dict:
    """What a function of this module returns in a process that has so many cores, and whose libraries take one each."""
    command = [sys.executable, "-c", RUN, function, *map(str, arguments)]
    if find_spec("resource") and hasattr(os, "sched_setaffinity"):
        names = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
        command = ["taskset", "--cpu-list", names, *command] if shutil.which("taskset") else command
    place = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | place, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


# In those processes


def one_core(folder: str, out: str) -> dict:
    """Core seconds by stage for an hour of video, and at least, and for a million pictures; and a job's two ends."""
    one_thread()
    finder, detector = load_finder(WEIGHTS), load_detector(DETECTOR)
    reports = Reports(out, finder, detector, Settings())
    clip, *_ = sorted(Path(folder).glob("*.mp4"))
    pictures = sorted(Path(folder).glob("*.jpg"))[:16]
    of_clip(clip, reports, finder, detector)  # once unmeasured
    clips = [of_clip(clip, reports, finder, detector) for _ in range(ROUNDS)]
    stills = [of_picture(path, reports, finder, detector) for path in pictures * ROUNDS]
    bytes_out = [sum(path.stat().st_size for path in Path(out).glob(f"{kind}*")) for kind in ("clip", "picture")]
    times = {stage: 1 if stage == "write" else HOUR / SECONDS for stage in STAGES}  # one report, however long the clip
    return {
        "hour": {stage: times[stage] * float(np.median([each[stage] for each in clips])) for stage in STAGES},
        "least": {stage: HOUR / SECONDS * seconds for stage, seconds in least(clip, finder, detector).items()},
        "million": {stage: MILLION * float(np.median([each[stage] for each in stills])) for stage in STAGES},
        "ends": ends(reports, pictures, Path(out, "many")),
        "bytes": {"clip": clip.stat().st_size, "picture": pictures[0].stat().st_size,
                  "report on a clip": bytes_out[0], "report on a picture": bytes_out[1] // len(pictures)},
    }  # fmt: skip


def one_thread() -> None:
    """As workers of Ray have it; and stages are told in this process's time, not the wall's."""
    import cv2

    cv2.setNumThreads(1)
    Stopwatch.clock = staticmethod(time.process_time)


def of_clip(clip: Path, reports: Reports, finder, detector) -> dict[str, float]:
    """Core seconds that a clip takes by stage, its decoder's process included."""
    start, decoded = time.process_time(), children()
    (analysis,) = analyze([clip], finder, detector)
    judged, decoded = time.process_time(), children() - decoded
    reports.add(analysis)
    end = time.process_time()
    found = {stage: analysis.performance[stage] * analysis.frames / 1000 for stage in ("find", "crop", "score")}
    found |= {"write": end - judged}
    return found | {"rest": end - start - sum(found.values()), "decode": decoded}


def children() -> float:
    """Core seconds of processes that this one started and that ended."""
    import resource  # here: there is none on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def least(clip: Path, finder, detector) -> dict[str, float]:
    """Core seconds that each stage of a clip would take at this CPU's peak."""
    from aiface.faces.yunet import of_pictures
    from aiface.models.openvino_runtime import converted
    from benchmarks.speed.bounds import bounds

    passes, judge = [], detector.of(moving=True)
    runtime = judge.runtime
    judge.runtime = lambda crops: (passes.append(len(crops)), runtime(crops))[1]
    (analysis,) = analyze([clip], finder, detector)
    judge.runtime = runtime
    scorer = converted(judge.card["sha256"], lambda: judge.network)
    scorer.reshape([1, CROP_SIZE, CROP_SIZE, 3])
    return bounds(clip, analysis, sum(passes), scorer, of_pictures(WEIGHTS / YUNET_FILE))


def of_picture(path: Path, reports: Reports, finder, detector) -> dict[str, float]:
    """Core seconds that a picture takes by stage."""
    watch, start = Stopwatch(), time.process_time()
    (analysis,) = analyze([path], finder, detector)
    judging = time.process_time() - start
    with watch("decode"):
        image = read_image(path)
    with watch("find"):
        faces = finder(image)
    with watch("crop"):
        crops = np.array([crop_face(image, face) for face in faces])
    with watch("score"):
        sides = detector.sides(crops)
        answers = detector.calibration.of(moving=False).answers(detector.score_of(sides))
        for at in np.flatnonzero(answers != Answer.INCONCLUSIVE):
            detector.spread(crops[at : at + 1], sides[:, at : at + 1])
    apart = sum(watch.seconds.values())
    with watch("write"):
        reports.add(analysis)
    return dict(watch.seconds) | {"rest": max(0.0, judging - apart)}


def ends(reports: Reports, pictures: list[Path], folder: Path) -> dict[str, float]:
    """Seconds for a million inputs of what one process does alone: plan, look up what is known, index, table."""
    folder.mkdir()
    for number in range(MANY // 10):
        (folder / f"{number}.jpg").touch()
    found = {}
    with timed(found, "plan", MANY // 10):
        plan([str(folder)], reports)
    with timed(found, "plan, where judged before", 10 * len(pictures)):
        for path in pictures * 10:
            reports.done(path)
    row = reports.done(pictures[0])["row"]
    rows = [row | {"path": f"{row['path']} {number}"} for number in range(MANY)]
    with timed(found, "index", MANY):
        reports.write_index(rows)
    if find_spec("pyarrow"):
        from aiface.apps.engines.ray import write_table

        with timed(found, "table", MANY):
            write_table(folder / "results.parquet", rows)
    return found


@contextmanager
def timed(found: dict[str, float], what: str, count: int) -> Iterator[None]:
    """Seconds of the `with` block, scaled from so many to a million, into `found`."""
    start = time.perf_counter()
    yield
    found[what] = MILLION / count * (time.perf_counter() - start)


def engines(folder: str, out: str) -> dict:
    """Inputs a second, both engines in turns, one worker each; and the seconds that Ray takes for a task of nothing."""
    from aiface.apps.engines import ray as ray_engine

    one_thread()
    found = {"local": [], "ray": []}
    with quiet(), ray_engine.cluster("local", 1):
        for turn in range(ROUNDS):
            for engine, judge in (("local", locally), ("ray", on_ray)):
                found[engine].append(pace(judge, folder, Path(out, f"{engine} {turn}")))
        tasks = [{"names": "[]"} for _ in range(TASKS)]
        one, many = (_seconds(partial(count_tasks, tasks[:count])) for count in (1, TASKS))
        found["task"] = (many - one) / (TASKS - 1)  # without starting
    return found


def workers(folder: str, out: str, count: str) -> float:
    """Inputs a second of an archive, by so many workers."""
    from aiface.apps.engines import ray as ray_engine

    with quiet(), ray_engine.cluster("local", int(count)):
        return pace(on_ray, folder, Path(out, count))


def pace(judge, folder: str, out: Path) -> float:
    """Inputs a second, from the first report to the last: neither starting nor the index is part of it."""
    reports = Reports(out, load_finder(WEIGHTS), load_detector(DETECTOR), Settings())
    todo, _ = plan([folder], reports)
    for _ in judge(todo, reports):
        pass
    times = sorted(path.stat().st_mtime_ns / 1e9 for path in out.glob("*.json"))
    return (len(times) - 1) / (times[-1] - times[0])


def locally(todo: list, reports: Reports) -> Iterator[dict]:
    """The single-machine pipeline."""
    return local.judge(load_finder(WEIGHTS), load_detector(DETECTOR), Settings(), todo, reports)


def on_ray(todo: list, reports: Reports) -> Iterator[dict]:
    """The same on the cluster that this process is connected to."""
    from aiface.apps.engines import ray as ray_engine

    load = partial(ray_engine.load, str(DETECTOR), "openvino", "f32", str(WEIGHTS))
    return ray_engine.judge(load, Settings(), False, todo, reports)


class Nothing:
    """A worker that does nothing."""

    def __call__(self, batch: Mapping) -> Mapping:
        """What came in."""
        return batch


def count_tasks(tasks: list[dict]) -> int:
    """Pass tasks through a worker that does nothing."""
    import ray

    found = ray.data.from_items(tasks, override_num_blocks=len(tasks))
    return found.map_batches(Nothing, compute=ray.data.ActorPoolStrategy(size=1), batch_size=1).count()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep standard output for the answer."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


# In this process


def scaling() -> dict:
    """Everything, as plain values. Without Ray, what one core costs alone."""
    with tempfile.TemporaryDirectory(prefix="aiface-") as scratch:
        folder, out = archive(Path(scratch, "archive")), partial(Path, scratch)
        found = run("one_core", 1, folder, out("one"))
        found |= {"cores": os.cpu_count(), "archive": [CLIPS, PICTURES]}
        if find_spec("ray"):
            found["engines"] = run("engines", 1, folder, out("engines"))
            cores = {count: min(count, os.cpu_count()) for count in PROCESSES}
            found["workers"] = {
                count: run("workers", cores[count], folder, out(f"by {count}"), count) for count in cores
            }
    return found


def cost(found: Mapping) -> float:
    """Core seconds of the archive, as the model has it."""
    clips, pictures = found["archive"]
    hour, report = sum(found["hour"].values()) - found["hour"]["write"], found["hour"]["write"]
    return clips * (SECONDS / HOUR * hour + report) + pictures / MILLION * sum(found["million"].values())


def predicted(found: Mapping, workers: int) -> float:
    """Inputs a second by so many workers on this machine's cores, as the model has it."""
    return sum(found["archive"]) / cost(found) * min(workers, found["cores"])


def rows(found: Mapping) -> list[Row]:
    """The figures with their bars."""
    parts = "; ".join(f"{stage} {found['hour'][stage] / 60:.2g}" for stage in STAGES)
    table = [Row("an hour of 1280x720 video with two people, on one core",
                 f"{sum(found['hour'].values()) / 60:.3g} min ({parts})")]  # fmt: skip
    for stage in found["least"]:
        at_least_minutes, times = bound(found["hour"], found["least"], stage)
        told = f"{found['hour'][stage] / 60:.3g} min; at least {at_least_minutes} min: {times}"
        table.append(Row(f"the same hour, {stage}", told))
    parts = "; ".join(f"{stage} {found['million'][stage] / HOUR:.2g}" for stage in STAGES)
    table.append(Row("a million 1280x720 pictures with two people, on one core",
                     f"{sum(found['million'].values()) / HOUR:.3g} h ({parts})"))  # fmt: skip
    what = "throughput of one core, `--engine ray` against the single-machine pipeline"
    if "engines" not in found:
        return [*table, Row(what, f"{NOT_MEASURED}: install aiface[ray]", ">= 0.85x")]
    local, ray = (np.array(found["engines"][engine]) for engine in ("local", "ray"))
    table.append(at_least(what, Spread.of(ray / local), 0.85))
    for count, pace in found["workers"].items():
        count, model = int(count), predicted(found, int(count))
        table.append(Row(f"{count} worker{'s' * (count > 1)} on {min(count, found['cores'])} of {found['cores']} cores",
                         f"{pace:.3g} inputs/s; model {model:.3g}; {pace / model - 1:+.0%}"))  # fmt: skip
    return table


def to_markdown(result: Mapping) -> str:
    """docs/measured/SCALING.md."""
    found = result["found"]
    figures = [[row["measure"], row["found"], row["asked"], MARK[row["met"]]] for row in result["rows"]]
    hour, million = found["hour"], found["million"]
    costs = [
        [stage, f"{hour[stage] / 60:.3g}", *bound(hour, found["least"], stage), f"{million[stage] / HOUR:.3g}"]
        for stage in STAGES
    ]
    costs.append(["together", f"{sum(hour.values()) / 60:.3g}", "", "", f"{sum(million.values()) / HOUR:.3g}"])
    ends = sum(found["ends"].get(part, 0) for part in ("plan", "index", "table"))
    each, judging = sum(million.values()) / MILLION, sum(hour.values()) - hour["write"]
    size = {what: f"{count / 1e6:.2f} MB" for what, count in found["bytes"].items()}
    of_ends = "; ".join(f"{part} {seconds:.0f} s" for part, seconds in found["ends"].items())
    task = found.get("engines", {}).get("task")
    head = f"{OF_A_TASK * each / task:,.0f}" if task else NOT_MEASURED
    each_task = f"{1000 * task:.1f} ms each" if task else NOT_MEASURED
    return f"""# Beyond one machine

Written by `python -m benchmarks.speed.scaling`, a part of `make bench`. Machine: {result["machine"]}.

    pip install 'aiface[ray]'                                            # on each machine, or one checkout that all see
    ray start --head                                                     # on the first
    ray start --address FIRST:6379                                       # on each other one
    python -m aiface analyze s3://bucket/archive --engine ray --address FIRST:6379 --out /shared/judged

Without `--address` the same command takes all cores of the machine it runs on. Each core has a worker with a warm
detector. A worker writes the report on each input at once into the folder, which all machines share; in the end come
`index.html`, `index.json` and `results.parquet`, one row for each input. Run again, the command goes on where it
stopped. Where a worker dies, its inputs go to another; an input over which three died is an `error` and stays one.
What could not be fetched is tried once more at the end, and again by the next run.

Give all machines one token, or whoever reaches the first can run code there: `ray get-auth-token --generate`, the
same `~/.ray/auth_token` on each, and `RAY_AUTH_MODE=token` in each one's environment. Stores
other than files need fsspec's driver (s3fs, gcsfs, adlfs). Files and folders without `://` have to lie at the same
place on each machine, as the detector and YuNet do.

## What was measured

{markdown_table(["measure", "found", "bar", ""], figures)}

An archive of {found["archive"][0]} clips of {SECONDS} s and {found["archive"][1]} pictures; from its first report to
its last, so without starting. Each worker has one thread. More workers than cores add little. A worker's clips are
decoded in a process of their own, which shares its core. Where workers fall short of the model, they flush their
reports to one disk, and Ray's own processes run on the same cores: how much either costs was not told apart.

## What it costs

Core minutes for an hour of 1280x720 video at 30 frames a second, looked at {Settings().samples_per_second:g} times a
second, and core hours for a million pictures of that size, two people in each:

{markdown_table(["", "an hour of video, min", "at least, min", "ratio", "a million pictures, h"], costs)}

`write` is the report with its page, one for each input: pictures, origin, hashes. `rest` is telling people apart, and
what else is none of these. `decode` is the decoder's own process, its start included. At least: networks at the pace
of a large matrix product, with one search each second and glances between, crops of the looks that are kept at the pace
of a copy, FFmpeg alone (`benchmarks/speed/bounds.py`).

    core seconds = {judging:.0f} x hours of video + {hour["write"]:.2f} x clips + {each:.3f} x pictures
    seconds      = core seconds / cores + {ends / MILLION:.5f} x inputs + the longest clip's own, at the end

`decode` grows with the pixels of all frames and `find` with the frames looked at (it scales them to 640 pixels first),
`crop` with the faces in them, `score` with the people (at most {Settings().best_looks} looks at each), `write` with the
inputs. Bytes: {"; ".join(f"{what} {text}" for what, text in size.items())}.

## Where it stops, and what to change then

- **The two ends are one process.** For a million inputs: {of_ends}. With pictures, that is a tenth of the time from
  about {0.1 * each * MILLION / ends:,.0f} cores on. Then: split the archive by folder, a job and an `--out` for each,
  and read their Parquet files together.
- **The head hands out tasks** of up to {OF_A_TASK} pictures or one clip, {each_task}: with pictures,
  enough for about {head} cores. Then: the same split.
- **The shared folder** gets a file for each input and pages for some (`--pages`; by default, of more than
  {MANY_PAGES} inputs, for those called AI and those whose file says so). From some hundred thousand inputs on, one
  folder slows many file systems; the index lists {LISTED} of them, the most suspicious. Then: the same split; only
  `results.parquet` need be read.
- **The store** has to give each core {found["bytes"]["picture"] / each / 1e6:.2f} MB/s with pictures like these and
  {found["bytes"]["clip"] / SECONDS * HOUR / sum(hour.values()) / 1e6:.2f} MB/s with clips: 1,000 cores want
  {8 * found["bytes"]["picture"] / each / 1e6:.1f} Gbit/s. Then: workers in the store's own region, more machines with
  a card each.
- **A long clip is one worker's.** It is judged start to end, as people are followed through it. Then: cut recordings of
  days into hours first (`ffmpeg -c copy -f segment`).
- **Memory**: about 0.5 GB for each worker, its decoder included. Then: fewer workers than cores
  (`ray start --num-cpus`).

{TRAINING}"""


def bound(hour: Mapping, least: Mapping, stage: str) -> list[str]:
    """The cells on what a stage takes at least."""
    return [f"{least[stage] / 60:.3g}", f"{hour[stage] / least[stage]:.2g}x"] if stage in least else ["", ""]


def main() -> None:
    """Measure, print, and write SCALING.md and scaling.json."""
    parser = argparse.ArgumentParser(description="What an archive costs, and how far that multiplies.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
    options = parser.parse_args()
    found = scaling()
    table = rows(found)
    print(*(f"{row.measure}: {row.found}  {row.asked}" for row in table), sep="\n")
    result = {"machine": machine(), "rows": [asdict(row) for row in table], "found": found}
    write_json(options.out / "scaling.json", result)
    write_text(options.out / "SCALING.md", to_markdown(result))


if __name__ == "__main__":
    main()
