"""Every task is done, and told once, whatever dies meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from geosharp.cluster import tasks
from geosharp.cluster.tasks import Lost, run_tasks
from geosharp.errors import InputError, ResourceError
from tests.cluster import work
from tests.cluster.local import address, workers

distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")


@pytest.fixture(scope="module")
def threads() -> Iterator[Any]:
    """A scheduler and a worker of three threads in this process."""
    with workers(threads=3) as made:
        yield made


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """A scheduler, and two workers that are replaced when they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as made:
        yield made


def run(cluster: Any, function: Any, items: list[Any]) -> dict[Any, Any]:
    told = list(run_tasks(address(cluster), function, items, lambda _: None))
    assert len({item for item, _ in told}) == len(told), "told twice"
    return dict(told)


def test_all_are_done_with_the_threads_of_their_process(threads: Any) -> None:
    assert run(threads, work.double, list(range(20))) == {item: (2 * item, 3) for item in range(20)}


def test_one_runs_at_a_time_in_a_process(threads: Any, tmp_path: Path) -> None:
    assert all(run(threads, partial(work.stand_alone, str(tmp_path)), list(range(9))).values())


def test_what_a_task_raises_is_raised_whole(threads: Any) -> None:
    with pytest.raises(InputError, match=r"3.tif: broken; needed: a raster. Mend it.") as caught:
        run(threads, work.refuse, [3])
    assert caught.value.remedy == "mend it"
    with pytest.raises(PermissionError, match="3 is closed"):
        run(threads, work.stumble, [3])


def test_a_worker_without_the_module_is_told(threads: Any) -> None:
    def lack(item: int, threads: int) -> None:
        raise ModuleNotFoundError("No module named 'geosharp'", name="geosharp")

    with pytest.raises(
        ResourceError, match="its workers have no geosharp; needed: geosharp, of this version"
    ):
        run(threads, lack, [1])


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_killed_workers_lose_no_task(processes: Any, tmp_path: Path) -> None:
    items = list(range(6))
    assert run(processes, partial(work.note, str(tmp_path)), items) == {item: item for item in items}
    # What is done and not yet told when its process dies is done again.
    assert all((tmp_path / f"{item}.done").exists() for item in items)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_task_that_kills_every_worker_is_told_as_lost(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_TRIES", 1)
    assert run(processes, work.die, [1]) == {1: Lost()}


def test_a_scheduler_that_comes_back_is_given_what_was_not_done() -> None:
    opened, again = ExitStack(), ExitStack()
    made = opened.enter_context(workers())
    cluster, done, notes = address(made), [], list[str]()

    def restart() -> None:
        opened.close()
        again.enter_context(workers(port=int(made.scheduler_address.rsplit(":", 1)[1])))

    with again:
        for item, _ in run_tasks(cluster, work.double, list(range(12)), notes.append):
            done.append(item)
            if len(done) == 3:
                thread = threading.Thread(target=restart)
                thread.start()
        thread.join()
    assert sorted(done) == list(range(12))
    assert any("the scheduler is gone" in note for note in notes)


def test_an_empty_cluster_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_LOOK_S", 0.2)
    notes: list[str] = []
    with workers(0) as made:

        def tell(note: str) -> None:
            notes.append(note)
            made.scale(1)

        assert dict(run_tasks(address(made), work.double, [1], tell)) == {1: (2, 2)}
        assert notes == [f"{made.scheduler_address} has no worker yet: waiting for one"]
