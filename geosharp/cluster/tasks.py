"""Tasks on a cluster's workers: all of them get done, whatever workers and schedulers die meanwhile.

A task may be done twice, when who did it dies before telling: what it writes must be the same then.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from geosharp.cluster.connection import Cluster, connect
from geosharp.errors import ResourceError
from geosharp.notes import Tell

T = TypeVar("T")
R = TypeVar("R")
# How often a task is sent whose workers died, each time to several of them (Dask's allowed-failures).
_TRIES = 3
# Tasks that are sent ahead, for each worker: enough that none waits, few enough that none is overrun.
_AHEAD = 2
# Seconds for which a scheduler that is gone is waited for; between looks at who works.
_PATIENCE_S, _LOOK_S = 120.0, 5.0

_alone = threading.Lock()


@dataclass(frozen=True)
class Lost:
    """In place of a result. died: whether workers did, and not what is between them and here."""

    died: bool = True


@dataclass
class _Task(Generic[T]):
    item: T
    tries: int = 0


def run_tasks(
    cluster: Cluster,
    function: Callable[[T, int], R],
    items: Sequence[T],
    tell: Tell,
) -> Iterator[tuple[T, R | Lost]]:
    """The items with what `function` makes of them on the cluster's workers, as they are done.

    function: of an item and the number of threads it may use, from a module that workers have; one runs at a
    time in each process. What it raises ends everything. tell: hears of workers awaited and schedulers lost.
    """
    with connect(cluster) as open_client:
        waiting = deque(_Task(item) for item in items)
        sent: dict[Any, _Task[T]] = {}
        client = _Client(open_client, cluster, tell)
        try:
            while waiting or sent:
                while waiting and len(sent) < client.places:
                    task = waiting.popleft()
                    sent[client.send(do_alone, function, task.item)] = task
                future = client.wait()
                if future is not None and future in sent:
                    task = sent.pop(future)
                    result = client.fetch(future)
                    if not isinstance(result, Lost) or task.tries + 1 >= _TRIES:
                        yield task.item, result
                    else:
                        waiting.append(_Task(task.item, task.tries + result.died))
                if client.lost:
                    waiting.extendleft(reversed(sent.values()))
                    sent.clear()
                    client.reopen()
        finally:
            client.cancel(list(sent))


def do_alone(function: Callable[[T, int], R], item: T) -> R:
    """On a worker: `function` with all threads that this process has, while no other one runs in it."""
    from distributed import get_worker

    with _alone:
        return function(item, get_worker().state.nthreads)


class _Client:
    """A connection to the scheduler, made anew where the scheduler was."""

    def __init__(self, open_client: Callable[[], Any], cluster: Cluster, tell: Tell) -> None:
        self._open, self._cluster, self._tell = open_client, cluster, tell
        self._client = open_client()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # How many workers there were at the last look, and when that was; whether their lack was told.
        self._workers, self._looked, self._lonely = 0, float("-inf"), False

    @property
    def lost(self) -> bool:
        return bool(self._client.status != "running")

    @property
    def places(self) -> int:
        """Tasks to be sent at once."""
        if time.monotonic() - self._looked > _LOOK_S:
            self._look()
        return _AHEAD * max(self._workers, 1)

    def send(self, *task: Any) -> Any:
        future = self._client.submit(*task, pure=False)
        future.add_done_callback(self._done.put)
        return future

    def wait(self) -> Any | None:
        """One that is no longer under way; None where that takes long."""
        with suppress(queue.Empty):
            return self._done.get(timeout=_LOOK_S)
        self._look()
        return None

    def fetch(self, future: Any) -> Any:
        """The result of one that is no longer under way; what the task raised is raised."""
        from distributed import KilledWorker

        try:
            if future.status == "error":
                error = future.exception()
                if isinstance(error, KilledWorker):
                    return Lost()
                raise _explain(error, self._cluster)
            with suppress(OSError, TimeoutError, CancelledError):
                return future.result(timeout=_PATIENCE_S)
            return Lost(died=False)
        finally:
            future.release()

    def reopen(self) -> None:
        self._tell(f"{self._cluster}: the scheduler is gone; waiting for it to come back")
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._client = self._open()
                return
            except ResourceError:
                if time.monotonic() > until:
                    raise
                time.sleep(1)

    def cancel(self, futures: Sequence[Any]) -> None:
        """Nobody waits for these any more."""
        if futures and not self.lost:
            self._client.cancel(futures, force=True)

    def _look(self) -> None:
        """How many work now, and say so where it is nobody."""
        self._looked = time.monotonic()
        try:
            self._workers = len(self._client.nthreads())
        except (OSError, TimeoutError):
            return
        if not self._workers and not self._lonely:
            self._tell(f"{self._cluster} has no worker yet: waiting for one")
        self._lonely = not self._workers


def _explain(error: BaseException, cluster: Cluster) -> BaseException:
    """What stopped a task, where that is not the task's to tell."""
    if not isinstance(error, ModuleNotFoundError):
        return error
    found = f"its workers have no {error.name}"
    needed, remedy = "geosharp, of this version, on every worker", "install it there as it is here"
    return ResourceError(str(cluster), found, needed, remedy)
