"""Where the jobs of a batch run: here one after the other, or in processes side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context

from geosharp.archive.job import Job, do
from geosharp.archive.ledger import FAILED, Row

# How often a scene is tried whose process was killed.
_TRIES = 2


def run(jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """The rows of the jobs as they are done."""
    if workers <= 1:
        for job in jobs:
            yield do(job)
        return
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
        row = replace(job.row, state=FAILED, error="its process was killed, twice: is there memory enough?")
        for _ in range(_TRIES):
            try:
                row = pool.submit(do, job).result()
                break
            except BrokenProcessPool:
                pool.shutdown()
                pool = _open_process()
        done.put(row)
    pool.shutdown()


def _open_process() -> ProcessPoolExecutor:
    # A fork would take threads' locks along, and CUDA does not survive it.
    return ProcessPoolExecutor(1, get_context("spawn"))
