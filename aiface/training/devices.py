"""Training on several devices and hosts by the engines' own means; the one module that knows of them.

With JAX (KERAS_BACKEND=jax) Keras's `DataParallel` takes every device of every host. The same command is started on
each host; three variables say where the first listens, how many there are, and which of them this is:

    JAX_COORDINATOR_ADDRESS=10.0.0.1:1234 JAX_NUM_PROCESSES=2 JAX_PROCESS_ID=0 \\
      aiface train recipe.yaml --set DEVICES=all

With TensorFlow `MirroredStrategy` takes every GPU of one host (for several hosts it has nothing that works with
Keras 3: keras#20585).
"""

import hashlib
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiface.errors import DataError, ModelError

CHOICES = ("one", "all")
HOSTS = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
WAIT_S = 300  # for the other processes to come
LOST_S = 60  # without a sign of life, after which a process counts as dead


@dataclass(frozen=True)
class Devices:
    """What trains together.

    number: of devices, on all hosts. process, processes: which of the processes this is, and how many there are.
    strategy: Keras's `DataParallel` or TensorFlow's `MirroredStrategy`, or None for one device.
    """

    number: int = 1
    process: int = 0
    processes: int = 1
    strategy: Any = None

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.process == 0

    def scope(self) -> AbstractContextManager:
        """Within it networks are built and fitted on all devices."""
        return self.strategy.scope() if self.strategy else nullcontext()

    def share(self, batch_size: int) -> slice:
        """The pictures of each batch that are this process's to make. Raises `DataError` for an uneven division."""
        if batch_size % self.number:
            raise DataError(
                f"expected a batch size that {self.number} devices can share evenly, found {batch_size}; change it"
            )
        part = batch_size // self.processes
        return slice(self.process * part, (self.process + 1) * part)

    def told(self, value: Any) -> Any:
        """What the first process says, in all of them: any plain value, sent as JSON. Waits for all."""
        if self.processes == 1:
            return value
        from jax.experimental.multihost_utils import broadcast_one_to_all

        text = np.frombuffer(json.dumps(value).encode() if self.first else b"", np.uint8)
        length = int(broadcast_one_to_all(np.int32(len(text))))
        return json.loads(bytes(broadcast_one_to_all(text if self.first else np.zeros(length, np.uint8))))

    def agree(self, what: str, value: str) -> None:
        """Wait for all processes. Raises `DataError` in all of them if one has another `value` than the first."""
        if self.processes == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        hashes = process_allgather(np.frombuffer(hashlib.sha256(value.encode()).digest(), np.uint8))
        if others := [number for number, found in enumerate(hashes) if (found != hashes[0]).any()]:
            raise DataError(
                f"expected the same {what} in all processes, found others in {', '.join(map(str, others))} than in 0 "
                f"(in {self.process}: {value}); start the same command on every host, where it sees the same files"
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within it JAX's own errors are `ModelError`s that say how to go on: most mean that a process was lost."""
        if self.processes == 1:
            yield
            return
        from jax.errors import JaxRuntimeError

        try:
            yield
        except JaxRuntimeError as error:
            raise ModelError(
                f"process {self.process} of {self.processes}: expected all to train on, found: {error}; where another "
                "process ended, start the same command again on every host: it goes on from the last whole epoch"
            ) from error

    def leave(self) -> None:
        """Wait for all processes; then the first goes on alone, and the others end here (`SystemExit`)."""
        if self.processes == 1:
            return
        import jax

        self.agree("end", "")
        jax.distributed.shutdown()
        if not self.first:
            raise SystemExit


ONE = Devices()


def hosts() -> tuple[str, int, int] | None:
    """Where the first process listens, how many there are, and which this is, by the environment; None for one alone.

    Raises `ModelError` if the environment says so in part, or wrongly.
    """
    given = {name: os.environ[name] for name in HOSTS if name in os.environ}
    if not given:
        return None
    address, number, process = (given.get(name, "") for name in HOSTS)
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit() and number.isdigit() and process.isdigit() and int(process) < int(number)):
        raise ModelError(
            f"expected {HOSTS[0]}=HOST:PORT, {HOSTS[1]}=N and {HOSTS[2]} from 0 to N-1 in the environment, or none of "
            f"them; found {', '.join(f'{name}={value}' for name, value in given.items())}"
        )
    return address, int(number), int(process)


def join(devices: str = "one", wait_s: int = WAIT_S, lost_s: int = LOST_S) -> Devices:
    """Take this host's device as Keras chooses it ("one"), or every device of all hosts ("all").

    To be called before the first array is made, so before other modules of this package are imported: JAX can't join
    others later. Where a process dies without a word, the others are ended after `lost_s` seconds. Raises `ModelError`
    for another word, an environment that does not fit, or if the first process is not there within `wait_s` seconds.
    """
    if devices not in CHOICES:
        raise ModelError(f"expected DEVICES among {', '.join(CHOICES)}, found {devices!r}")
    place = hosts()
    if place and (devices != "all" or os.environ.get("KERAS_BACKEND") != "jax"):
        raise ModelError(
            f"expected DEVICES=all and KERAS_BACKEND=jax, as {HOSTS[0]} is in the environment; found {devices} and "
            f"{os.environ.get('KERAS_BACKEND', 'none')}; several hosts train with JAX alone"
        )
    if devices == "one":
        return ONE
    if place:
        _meet(*place, wait_s, lost_s)
    from aiface.models.keras_import import keras  # makes the first array

    backend = keras.backend.backend()
    if backend not in (engines := {"jax": _jax, "tensorflow": _tensorflow}):
        raise ModelError(f"expected KERAS_BACKEND among {', '.join(engines)} for DEVICES=all, found {backend}")
    return engines[backend]()


def _meet(address: str, number: int, process: int, wait_s: int, lost_s: int) -> None:
    """Wait until all processes are there. Where others are missing, JAX ends the first with words of its own."""
    import jax

    if jax.distributed.is_initialized():
        return
    if process:
        _reach(address, wait_s)
    else:
        _listen(address)
        print(f"aiface: waiting at {address} for {number - 1} more, at most {wait_s} s", file=sys.stderr)
    try:
        jax.distributed.initialize(
            address, number, process, cluster_detection_method="deactivate", initialization_timeout=wait_s,
            heartbeat_timeout_seconds=lost_s, shutdown_timeout_seconds=lost_s,
        )  # fmt: skip
    except RuntimeError as error:
        raise ModelError(f"{address}: expected to join before all else, found: {error}; start a new process") from None


def _listen(address: str) -> None:
    """Make sure that the first process can listen: JAX would crash."""
    port = int(address.rpartition(":")[2])
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise ModelError(f"{address}: expected to listen there, found: {error}; choose another port") from None


def _reach(address: str, wait_s: int) -> None:
    """Wait until the first process listens: JAX would abort this one without an exception."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + wait_s
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise ModelError(
                    f"{address}: expected the first process to listen there within {wait_s} s, found: {error}; start "
                    f"the same command on every host, and see that {HOSTS[0]} is one that this host can reach"
                ) from None
        time.sleep(0.2)


def _jax() -> Devices:
    import jax

    from aiface.models.keras_import import keras

    each = Counter(device.process_index for device in jax.devices())
    if len(set(each.values())) > 1:
        raise ModelError(
            f"expected as many devices in each process, found {', '.join(map(str, each.values()))}; "
            "leave some out with CUDA_VISIBLE_DEVICES"
        )
    strategy = None
    if jax.device_count() > 1:
        strategy = keras.distribution.DataParallel(auto_shard_dataset=False)  # `Batches` makes shares itself
    return Devices(jax.device_count(), jax.process_index(), jax.process_count(), strategy)


def _tensorflow() -> Devices:
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")]
    if len(names) == 1:
        return ONE
    strategy = tf.distribute.MirroredStrategy(names)
    return Devices(strategy.num_replicas_in_sync, strategy=strategy)
