"""Batches are decided by seed and step, whoever makes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from geosharp.tuning.batches import Batch, Batches
from geosharp.tuning.examples import GroundReader
from geosharp.tuning.ground import Ground
from geosharp.tuning.processes import Processes
from geosharp.tuning.recipe import Recipe
from tests.tuning.made_ground import TINY, make_ground

ALONE = Processes()


def take(
    grounds: list[Ground], start: int, count: int, recipe: Recipe = TINY, processes: Processes = ALONE
) -> list[Batch]:
    stream = Batches(grounds, recipe, processes).from_step(start)
    try:
        return list(islice(stream, count))
    finally:
        stream.close()


def same(one: Batch, other: Batch) -> bool:
    pairs = zip([*one.examples, *one.views], [*other.examples, *other.views], strict=True)
    return all(torch.equal(a.shown, b.shown) for a, b in pairs)


def test_a_step_has_its_batch_wherever_a_run_starts(ground: Ground) -> None:
    first = take([ground], 0, 4)
    assert same(first[3], take([ground], 3, 1)[0])
    assert not same(first[2], first[3])


def test_batches_are_the_same_and_in_order_however_many_threads_read(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, closed = [], []
    close = GroundReader.close

    class Noted(GroundReader):
        def __init__(self, ground: Ground) -> None:
            super().__init__(ground)
            made.append(self)

        def close(self) -> None:
            close(self)
            closed.append(self)

    expected = take([ground], 2, 6)
    monkeypatch.setattr("geosharp.tuning.batches.GroundReader", Noted)
    stream = Batches([ground], TINY, ALONE, threads=3).from_step(2)
    got = list(islice(stream, 6))
    stream.close()
    assert all(same(one, other) for one, other in zip(got, expected, strict=True))
    assert 1 <= len(made) <= 3
    assert {*map(id, made)} == {*map(id, closed)}
    assert len(made) == len(closed)


def test_another_seed_makes_other_batches(ground: Ground) -> None:
    assert not same(take([ground], 0, 1)[0], take([ground], 0, 1, replace(TINY, seed=1))[0])


def test_shares_of_processes_make_up_the_batch(ground: Ground) -> None:
    recipe = replace(TINY, batch=3, views=2)
    whole = take([ground], 5, 1, recipe)[0]
    (a, b), (c, d) = (
        (share.examples, share.views)
        for share in (take([ground], 5, 1, recipe, Processes(rank, 2))[0] for rank in (0, 1))
    )
    assert same(whole, Batch([a[0], c[0], a[1]], [d[0], b[0]]))


def test_every_scene_has_its_part_whatever_its_bands(ground: Ground, tmp_path: Path) -> None:
    other = make_ground(tmp_path, seed=3, bands=2)
    batches = take([ground, other], 0, 6, replace(TINY, batch=4))
    bands = [len(example.shown) for batch in batches for example in batch.examples]
    assert 5 <= bands.count(2) <= 19
    assert bands.count(2) + bands.count(3) == 24


def test_files_of_many_scenes_are_not_all_open_at_once(ground: Ground) -> None:
    batches = Batches([ground] * 40, TINY, ALONE)
    batches._start_thread()
    for step in range(12):
        batches._batch(step)
        assert 0 < len(batches._open[0]) <= 8
    batches._close()
    assert not batches._open
