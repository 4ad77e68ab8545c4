"""Where the jobs of a batch run: here one after the other, in processes side by side, or on a cluster."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

from geosharp.archive.job import Job, do, fail
from geosharp.archive.ledger import Row
from geosharp.cluster.connection import Cluster
from geosharp.cluster.tasks import Lost, run_tasks
from geosharp.distribution import reach, reach_model
from geosharp.errors import GeosharpError, ResourceError
from geosharp.notes import Tell

# How often a scene is tried whose process was killed.
_TRIES = 2
_KILLED = "its process was killed each time that it was tried: is there memory enough?"
# Seconds that a process has to clear up in once it is to end.
_GRACE_S = 30.0
# A fork would take threads' locks along, and CUDA does not survive it.
_SPAWN = get_context("spawn")


def run(
    jobs: Sequence[Job],
    workers: int = 1,
    cluster: Cluster | None = None,
    tell: Tell = lambda _: None,
) -> Iterator[Row]:
    """The rows of the jobs as they are done: by so many processes, or by a cluster's workers. tell: hears of
    the cluster."""
    if cluster is not None:
        yield from _run_on(cluster, jobs, tell)
    elif workers <= 1:
        yield from map(do, jobs)
    else:
        yield from _run_beside(jobs, workers)


def _run_beside(jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """A process that is killed is replaced, and its job tried again; all of them end with the iterator."""
    waiting, tried = deque(jobs), Counter[str]()
    idle: list[_Server] = []
    busy: dict[_Server, Job] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                server, job = idle.pop() if idle else _Server(), waiting.popleft()
                busy[server] = job
                server.give(job)
            ready = connection.wait([server.link for server in busy])
            for server in [each for each in busy if each.link in ready]:
                job = busy.pop(server)
                if (row := server.take()) is not None:
                    idle.append(server)
                    yield row
                    continue
                tried[job.row.out] += 1
                if tried[job.row.out] < _TRIES:
                    waiting.appendleft(job)
                else:
                    yield fail(job.row, _KILLED, machine=True)
    finally:
        _end([*idle, *busy])


class _Server:
    """A process that does one job at a time, and ends with the one that started it."""

    def __init__(self) -> None:
        self.link, there = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=serve, args=(there, do), daemon=True)
        try:
            with _unheard():
                self.process.start()
        except OSError as error:
            found, needed = f"no process can be started ({error.strerror})", "processes beside this one"
            raise ResourceError("--workers", found, needed, "give fewer --workers") from error
        finally:
            # From now on the link ends when the process does.
            there.close()

    def give(self, job: Job) -> None:
        with suppress(OSError):  # that it has died is heard by `take`
            self.link.send(job)

    def take(self) -> Row | None:
        """What it has made; None where it died."""
        try:
            row: Row = self.link.recv()
        except (EOFError, OSError):
            _end([self])
            return None
        return row


def serve(link: Connection, act: Callable[[Job], Row]) -> None:
    """In a process of its own: do job after job, until nobody asks for more."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_follow, daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            link.send(act(link.recv()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _follow() -> None:
    """End this process, and let it clear up, once the one that started it is gone, however that ended."""
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _unheard() -> Iterator[None]:
    """A process that is started in the block hears no Ctrl-C, and not that the terminal is closed: the one
    that starts it does, and ends it."""
    if sys.platform == "win32":
        yield
        return
    # Which starts with the first process otherwise, and lets Ctrl-C through for that.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(servers: Sequence[_Server]) -> None:
    for server in servers:
        server.process.terminate()
    for server in servers:
        server.process.join(_GRACE_S)
        server.process.kill()
        server.link.close()


def _run_on(cluster: Cluster, jobs: Sequence[Job], tell: Tell) -> Iterator[Row]:
    by_name = {job.row.name: job for job in jobs}
    sent: list[Job] = []
    for job in jobs:
        try:
            sent.append(_reach(job))
        except GeosharpError as error:
            yield fail(job.row, str(error))
    for each, row in run_tasks(cluster, _do_there, sent, tell):
        job = by_name[each.row.name]
        if isinstance(row, Lost):
            yield fail(job.row, _KILLED, machine=True)
        else:
            # Files are told as they were named.
            yield replace(row, pan=job.row.pan, ms=job.row.ms, out=job.row.out)


def _do_there(job: Job, threads: int) -> Row:
    """On a worker: the job, with as many threads as it has unless so many were asked for."""
    return do(replace(job, options={"threads": threads} | dict(job.options)))


def _reach(job: Job) -> Job:
    """The job as other computers find its files."""
    options = reach(job.options)
    if options.get("diffusion") is not None:
        options["diffusion"] = reach_model(options["diffusion"])
    there = reach({"pan": job.row.pan, "ms": job.row.ms})
    out = str(Path(job.row.out).absolute())
    return replace(
        job, row=replace(job.row, pan=there["pan"], ms=tuple(there["ms"]), out=out), options=options
    )
