"""A scheduler and workers in this process, for tests: they start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from geosharp.cluster.connection import Cluster


@contextmanager
def workers(count: int = 1, threads: int = 2, port: int = 0) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    with distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=threads,
        processes=False,
        protocol="tcp",
        scheduler_port=port,
        dashboard_address=":0",
        silence_logs=50,
    ) as made:
        yield made


def address(made: Any) -> Cluster:
    return Cluster(made.scheduler_address)
