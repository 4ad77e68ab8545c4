from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from geosharp.cli.options import (
    MethodOption,
    give_minutes,
    read_bytes,
    read_diffusion,
    read_list,
    read_numbers,
)
from geosharp.engine.methods import DEFAULT_METHOD, FALLBACK_METHOD, METHODS
from geosharp.errors import UsageError
from geosharp.hfreqdiff.settings import Diffusion


def test_the_methods_in_the_help_are_the_methods() -> None:
    _, option = get_args(MethodOption)
    assert set(re.findall("[a-z-]+", option.help)) - {"or"} == set(METHODS)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("3000000", 3_000_000),
        ("2000K", 2_048_000),
        ("1 TB", 2**40),
        ("1.5G", 3 * 2**29),
        ("800m", 800 * 2**20),
        (None, None),
    ],
)
def test_sizes_are_read_with_their_unit(text: str | None, size: int | None) -> None:
    assert read_bytes("--max-memory", text) == size


def test_who_forgets_the_unit_is_told_so() -> None:
    with pytest.raises(UsageError, match="'10', which is 10 bytes"):
        read_bytes("--max-memory", "10")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("pan ms -o out --adapt", "pan ms -o out --adapt=2"),
        ("--adapt pan ms -o out", "--adapt=2 pan ms -o out"),
        ("pan ms --adapt -o out", "pan ms --adapt=2 -o out"),
        ("pan ms --adapt 3 -o out", "pan ms --adapt 3 -o out"),
        ("pan ms --adapt=0.5 -o out", "pan ms --adapt=0.5 -o out"),
        ("pan ms --adapt -1", "pan ms --adapt -1"),
        ("pan ms --adapt 2min", "pan ms --adapt 2min"),
        ("pan ms", "pan ms"),
    ],
)
def test_adapt_goes_with_and_without_minutes(given: str, meant: str) -> None:
    assert give_minutes(given.split()) == meant.split()


@pytest.mark.parametrize("text", ["", "G", "-1", "0", "lots", "nan", "inf", "1e999"])
def test_what_is_no_size_is_refused_by_its_flag(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--max-memory: '{text}'"):
        read_bytes("--max-memory", text)


def test_lists_are_separated_by_commas() -> None:
    assert read_list("4, red ,,2") == ["4", "red", "2"]
    assert read_numbers("--weights", "0.5, 1") == [0.5, 1.0]
    assert read_list(None) is read_numbers("--weights", None) is None
    with pytest.raises(UsageError, match=r"^--weights: 'a,1'"):
        read_numbers("--weights", "a,1")


def test_the_method_in_the_help_by_default_is_the_default() -> None:
    _, option = get_args(MethodOption)
    assert set(re.findall("[a-z-]+", option.show_default)) & set(METHODS) == {DEFAULT_METHOD, FALLBACK_METHOD}
    assert option.show_default.startswith(DEFAULT_METHOD)


def test_what_is_not_given_of_a_diffusion_is_its_default(tmp_path: Path) -> None:
    assert read_diffusion(None) is None
    assert read_diffusion(None, seed=0) == Diffusion()
    mine = tmp_path / "mine.safetensors"
    mine.touch()
    given = read_diffusion(str(mine), 4, 5, 0, "cpu")
    assert given == Diffusion(model=str(mine), steps=4, seed=5, consistency=0, device="cpu")
    with pytest.raises(UsageError, match=r"^--steps: 0;"):
        read_diffusion(None, steps=0)
