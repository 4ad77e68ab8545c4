"""Two processes learn what one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from geosharp.tuning.processes import joined
from tests.tuning.test_learner import make_batch, make_learner

CPU = torch.device("cpu")
WORKER = """
import sys, torch
from geosharp.tuning.processes import joined
from tests.tuning.test_learner import make_batch, make_learner
cpu = torch.device("cpu")
with joined(cpu) as processes:
    learner, share = make_learner(processes=processes), slice(processes.rank, None, 2)
    losses = [learner.learn(make_batch(step, share), 3) for step in range(3)]
    agreed = processes.agree([7.0 + processes.rank, 1 / 3], cpu)
    torch.save([losses, agreed, learner.network.state_dict()], f"{sys.argv[1]}/{processes.rank}.pt")
"""


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)],
            env={**os.environ, **told, "RANK": str(rank), "PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    alone = make_learner()
    losses = [alone.learn(make_batch(step), 3) for step in range(3)]
    for told_losses, agreed, weights in found:
        assert told_losses == pytest.approx(losses, rel=1e-4)
        assert agreed == [7.0, 1 / 3]
        for name, value in alone.network.state_dict().items():
            assert torch.allclose(weights[name], value, atol=1e-4), name
    assert all(torch.equal(value, found[1][2][name]) for name, value in found[0][2].items())


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(CPU) as processes:
        assert (processes.size, processes.first) == (1, True)
        gradient = torch.ones(3)
        processes.add_up([gradient])
        assert torch.equal(gradient, torch.ones(3))
        assert processes.agree([0.1], CPU) == [0.1]
