"""Where work is sent is said in one of two ways, and what cannot be reached is told."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from geosharp.cluster import connection
from geosharp.cluster.connection import Cluster, connect
from geosharp.errors import ResourceError, UsageError


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "neither"),
        ({"address": "tcp://a:1", "kind": "slurm"}, "both"),
        ({"address": "a:1"}, "--dask: 'a:1'; needed: the address of a Dask scheduler"),
        ({"address": "file:///etc/passwd"}, "needed: the address"),
        ({"kind": "condor"}, "--dask-cluster: 'condor'; needed: one of local, slurm, kubernetes"),
        ({"kind": "slurm", "workers": 0}, "--workers: 0"),
    ],
)
def test_what_is_no_cluster_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Cluster(**given)


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr(connection, "_ANSWER_S", 0.5)
    # Nobody listens on port 1.
    with (
        pytest.raises(ResourceError, match=r"tcp://127\.0\.0\.1:1: no scheduler answers"),
        connect(Cluster("tcp://127.0.0.1:1")) as open_client,
    ):
        open_client()


def test_a_missing_extra_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ResourceError, match=r"pip install 'geosharp\[cluster\]'"),
        connect(Cluster(kind="local")),
    ):
        pass


class Made:
    """A cluster as Dask's: closes, and was told how many workers it is to have."""

    scheduler_address = "tcp://127.0.0.1:1"

    def __init__(self, **given: Any) -> None:
        self.workers, self.closed = 0, False

    def scale(self, workers: int) -> None:
        self.workers = workers

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [("slurm", "dask_jobqueue", "SLURMCluster"), ("kubernetes", "dask_kubernetes.operator", "KubeCluster")],
)
def test_a_cluster_is_made_with_so_many_workers_and_goes(
    kind: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    made: list[Made] = []

    def make(**given: Any) -> Made:
        made.append(Made(**given))
        return made[0]

    for part in (module.split(".")[0], module):
        monkeypatch.setitem(sys.modules, part, type(sys)(part))
    setattr(sys.modules[module], name, make)
    with connect(Cluster(kind=kind, workers=7)):
        assert [(each.workers, each.closed) for each in made] == [(7, False)]
    assert made[0].closed


def test_what_a_queue_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")

    def refuse(workers: int) -> None:
        raise ValueError("You must specify how many\ncores to use per job")

    monkeypatch.setitem(connection.KINDS, "slurm", refuse)
    told = (
        r"--dask-cluster slurm: cannot be made \(ValueError: You must specify how many cores .*jobqueue.slurm"
    )
    with pytest.raises(ResourceError, match=told), connect(Cluster(kind="slurm")):
        pass
