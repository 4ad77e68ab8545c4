"""Which computers work is sent to: those of a Dask scheduler, or of a cluster made for one run."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from geosharp.errors import ResourceError, UsageError

_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[^\s/]+")
# How long a scheduler may take to answer.
_ANSWER_S = 10
# What Dask says of a cluster that is ours is nobody's concern: what a task raises is raised here.
_QUIET = logging.CRITICAL
_INSTALL = "run pip install 'geosharp[{}]'"


@dataclass(frozen=True)
class Cluster:
    """Where work is sent. address: of a Dask scheduler that runs already, as tcp://HOST:PORT; or kind: one of
    KINDS, a cluster that is there for this run alone, with so many workers. What a job of SLURM and a pod of
    Kubernetes are is set where Dask looks for it."""

    address: str | None = None
    kind: str | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if (self.address is None) == (self.kind is None):
            found = "neither" if self.address is None else "both"
            raise UsageError(
                "--dask, --dask-cluster", found, "one of them", "name a scheduler, or a kind of cluster"
            )
        if self.address is not None and not _ADDRESS.fullmatch(self.address):
            needed = "the address of a Dask scheduler, as tcp://HOST:PORT"
            raise UsageError("--dask", f"'{self.address:.80}'", needed, "dask scheduler prints it")
        if self.kind is not None and self.kind not in KINDS:
            needed = f"one of {', '.join(KINDS)}"
            raise UsageError("--dask-cluster", f"'{self.kind:.80}'", needed, "choose one of these")
        if self.workers < 1:
            raise UsageError("--workers", str(self.workers), "one or more", "leave it out for one")

    def __str__(self) -> str:
        return self.address or f"the {self.kind} cluster"


@contextmanager
def connect(cluster: Cluster) -> Iterator[Callable[[], Any]]:
    """Opens a client of the cluster's scheduler each time it is called, as an old one is of no use where its
    scheduler was restarted. A cluster that was made goes with the block, and clients do."""
    try:
        import distributed
    except ImportError as error:
        found = f"not there ({error.name or error})"
        remedy = _INSTALL.format("cluster")
        raise ResourceError("dask.distributed", found, "the extra 'cluster'", remedy) from error
    with ExitStack() as opened:
        place = cluster.address
        if cluster.kind is not None:
            made = _make(cluster.kind, cluster.workers)
            opened.callback(made.close)
            place = made.scheduler_address

        def open_client() -> Any:
            try:
                client = distributed.Client(place, timeout=_ANSWER_S, set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                found = f"no scheduler answers ({str(error).splitlines()[0]:.120})"
                needed = "a Dask scheduler, within reach from here"
                remedy = "start one (dask scheduler), or correct the address"
                raise ResourceError(str(cluster), found, needed, remedy) from error
            opened.callback(client.close, timeout=_ANSWER_S)
            return client

        yield open_client


def _make(kind: str, workers: int) -> Any:
    """A cluster of so many workers, which may come later."""
    try:
        return KINDS[kind](workers)
    except ImportError as error:
        found, extra = (
            f"{error.name or error} is not there",
            "kubernetes" if kind == "kubernetes" else "cluster",
        )
        remedy = _INSTALL.format(extra)
        raise ResourceError(f"--dask-cluster {kind}", found, f"the extra '{extra}'", remedy) from error
    except Exception as error:
        # Whatever queues and clouds answer: it is told in their words.
        found = f"cannot be made ({type(error).__name__}: {' '.join(str(error).split()):.300})"
        remedy = "set what a worker is there, see https://docs.dask.org/en/stable/configuration.html"
        raise ResourceError(f"--dask-cluster {kind}", found, _SETTINGS[kind], remedy) from error


def _make_local(workers: int) -> Any:
    from distributed import LocalCluster

    # A process each: GDAL and torch share settings between threads of one.
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=_QUIET
    )


def _make_slurm(workers: int) -> Any:
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster()
    cluster.scale(workers)
    return cluster


def _make_kubernetes(workers: int) -> Any:
    from dask_kubernetes.operator import KubeCluster

    cluster = KubeCluster(n_workers=workers)
    # A cluster that is described in Dask's configuration has a number of its own.
    cluster.scale(workers)
    return cluster


KINDS: dict[str, Callable[[int], Any]] = {
    "local": _make_local,
    "slurm": _make_slurm,
    "kubernetes": _make_kubernetes,
}
_SETTINGS = {
    "local": "processes on this computer",
    "slurm": "SLURM's sbatch here, and jobqueue.slurm (cores, memory, walltime) in Dask's configuration",
    "kubernetes": "Dask's operator in the cluster, and kubernetes (name, image) in Dask's configuration",
}
