"""Seconds by stage, and what they say of the bound."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from geosharp.engine.clock import COMPUTE, READ, STOPPED, WRITE, Clock, Profile


def test_seconds_add_up_over_threads_and_stages() -> None:
    clock = Clock(running=True)

    def work(stage: str) -> None:
        with clock.time(stage):
            time.sleep(0.05)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [READ, READ, WRITE]))
    seconds = clock.seconds
    assert seconds.keys() == {READ, WRITE}
    assert seconds[READ] >= 0.1
    assert 0.05 <= seconds[WRITE] < seconds[READ]


def test_what_fails_is_counted_and_raised() -> None:
    clock = Clock(running=True)
    with pytest.raises(KeyError), clock.time(READ):
        raise KeyError(READ)
    assert READ in clock.seconds


def test_a_clock_that_does_not_run_counts_nothing() -> None:
    with STOPPED.time(READ), STOPPED.time(WRITE, gpu=True):
        pass
    assert STOPPED.seconds == {}


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [
        ({READ: 9.0, COMPUTE: 20.0, WRITE: 1.0}, "read is the bound, at work 90% of the time"),
        ({READ: 1.0, COMPUTE: 38.0, WRITE: 5.0}, "compute is the bound, at work 95% of the time"),
        ({READ: 1.0, COMPUTE: 8.0, WRITE: 9.9}, "write is the bound, at work 99% of the time"),
    ],
)
def test_the_bound_is_what_is_busiest_for_its_hands(seconds: dict[str, float], bound: str) -> None:
    profile = Profile(seconds, tiles=10.0, wall=12.0, readers=1, threads=4)
    assert profile.bound.startswith(f"{bound}; faster: a ")


def test_where_tiles_take_little_of_the_time_that_is_said() -> None:
    profile = Profile({COMPUTE: 4.0}, tiles=1.0, wall=12.0, readers=1, threads=4)
    assert profile.bound.startswith("most of the time went before and after the tiles")


def test_without_tiles_there_are_shares_still() -> None:
    assert Profile({}, tiles=0.0, wall=0.0, readers=1, threads=1).shares == {
        READ: 0.0,
        COMPUTE: 0.0,
        WRITE: 0.0,
    }
