"""Where the jobs of a batch run: here one after the other, in processes side by side, or on a cluster."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from geosharp.archive.job import Job, do
from geosharp.archive.ledger import DONE, FAILED, Row
from geosharp.cluster.connection import Cluster
from geosharp.cluster.tasks import Lost, run_tasks
from geosharp.distribution import reach, reach_model

# How often a scene is tried whose process was killed.
_TRIES = 2
_KILLED = "its process was killed each time that it was tried: is there memory enough?"


def run(
    jobs: Sequence[Job],
    workers: int = 1,
    cluster: Cluster | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Row]:
    """The rows of the jobs as they are done: by so many processes, or by a cluster's workers. tell: hears of
    the cluster."""
    if cluster is not None:
        yield from _run_on(cluster, jobs, tell)
    elif workers <= 1:
        yield from map(do, jobs)
    else:
        yield from _run_beside(jobs, workers)


def do_again(job: Job) -> Row:
    """As `do`, where who did it may have been killed before telling."""
    if Path(job.row.out).exists() and not job.overwrite:
        note = "finished by a process that was killed before it could tell more"
        return replace(job.row, state=DONE, warnings=(note,))
    return do(job)


def _run_beside(jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Row] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    for _ in range(workers):
        todo.put(None)
    threads = [threading.Thread(target=_serve, args=(todo, done), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for _ in jobs:
        yield done.get()
    for thread in threads:
        thread.join()


def _serve(todo: queue.SimpleQueue[Job | None], done: queue.SimpleQueue[Row]) -> None:
    """Give job after job to one process; one that is killed is replaced, and its job tried again."""
    pool = _open_process()
    while (job := todo.get()) is not None:
        row = replace(job.row, state=FAILED, error=_KILLED)
        for _ in range(_TRIES):
            try:
                row = pool.submit(do_again, job).result()
                break
            except BrokenProcessPool:
                pool.shutdown()
                pool = _open_process()
        done.put(row)
    pool.shutdown()


def _open_process() -> ProcessPoolExecutor:
    # A fork would take threads' locks along, and CUDA does not survive it.
    return ProcessPoolExecutor(1, get_context("spawn"))


def _run_on(cluster: Cluster, jobs: Sequence[Job], tell: Callable[[str], None]) -> Iterator[Row]:
    by_name = {job.row.name: job for job in jobs}
    for sent, row in run_tasks(cluster, _do_there, [_reach(job) for job in jobs], tell):
        job = by_name[sent.row.name]
        if isinstance(row, Lost):
            yield replace(job.row, state=FAILED, error=_KILLED)
        else:
            # Files are told as they were named.
            yield replace(row, pan=job.row.pan, ms=job.row.ms, out=job.row.out)


def _do_there(job: Job, threads: int) -> Row:
    """On a worker: the job, with as many threads as it has unless so many were asked for."""
    return do_again(replace(job, options={"threads": threads} | dict(job.options)))


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
