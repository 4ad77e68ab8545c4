from __future__ import annotations

import numpy as np
import pytest
import torch

from geosharp.imaging.radiometry import to_dn, to_float

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32"]
# Where 32-bit numbers and doubles lie so far out that float32 alone would round them.
FAR = {"uint32": 4.2e9, "int32": -2.0e9, "float64": 1e9}


def limits_of(dtype: str) -> tuple[float, float]:
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)


def test_floats_are_dn_less_their_bands_centre() -> None:
    pixels = np.array([[[10, 20]], [[100, 400]]], np.uint16)
    made = to_float(pixels, None, torch.tensor([15.0, 200.0]))
    assert made.dtype == torch.float32
    assert made.tolist() == [[[-5.0, 5.0]], [[-100.0, 200.0]]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [np.nan, np.inf, -np.inf, -3e38])
def test_invalid_pixels_are_zero_whatever_they_hold(dtype: str, hidden: float) -> None:
    pixels = np.array([[[1.0, hidden, 3.0]]], dtype)
    made = to_float(pixels, np.array([[[True, False, True]]]), torch.tensor([2.0]))
    assert made.tolist() == [[[-1.0, 0.0, 1.0]]]


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "float32", "float64"])
def test_the_pixels_given_stay_as_they_are(dtype: str) -> None:
    pixels = np.array([[[1, 2, 3]]], dtype)
    to_float(pixels, np.array([[[True, False, True]]]), torch.tensor([2.0]))
    assert pixels.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("dtype", [*INTEGERS, "float32", "float64"])
def test_dn_come_back_to_the_last_digit(dtype: str) -> None:
    rng = np.random.default_rng(0)
    if dtype in ("uint8", "int8", "uint16", "int16"):
        low, high = limits_of(dtype)
        pixels = np.linspace(low, high, 4096).round().reshape(2, 64, 32).astype(dtype)
    else:
        middle = FAR.get(dtype, 5000.0)
        pixels = (middle + rng.integers(-4000, 4000, (2, 64, 32)) * (1 if "int" in dtype else 0.5)).astype(
            dtype
        )
    centres = torch.from_numpy(pixels.mean((1, 2), dtype=np.float64)).float()
    limits = limits_of(dtype) if "int" in dtype else None
    back = to_dn(to_float(pixels, None, centres), centres, dtype, limits)
    assert back.dtype == np.dtype(dtype)
    if dtype == "float32":
        np.testing.assert_allclose(back, pixels, rtol=3e-7)
    else:
        np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_halves_are_rounded_to_even(dtype: str) -> None:
    fused = torch.tensor([[[0.5, 1.5, 2.5, 3.4999, 3.5001]]])
    assert to_dn(fused, torch.tensor([10.0]), dtype, limits_of(dtype)).tolist() == [[[10, 12, 12, 13, 14]]]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_what_the_dtype_cannot_hold_is_clipped_and_never_wraps(dtype: str) -> None:
    low, high = limits_of(dtype)
    fused = torch.tensor([[[-1e12, -5.0, 0.0, 5.0, 1e12, torch.inf, -torch.inf]]])
    below = to_dn(fused.clone(), torch.tensor([low]), dtype, (low, high))
    above = to_dn(fused.clone(), torch.tensor([high]), dtype, (low, high))
    assert below[0, 0, [0, 1, 2, 6]].tolist() == [low] * 4
    assert above[0, 0, [2, 3, 4, 5]].tolist() == [high] * 4
    assert below[0, 0, 5] == high
    assert above[0, 0, 6] == low


def test_limits_narrower_than_the_dtype_hold() -> None:
    fused = torch.tensor([[[-3000.0, 0.0, 3000.0]]])
    assert to_dn(fused, torch.tensor([1000.0]), "uint16", (0.0, 2047.0)).tolist() == [[[0, 1000, 2047]]]


def test_floats_are_neither_rounded_nor_clipped() -> None:
    fused = torch.tensor([[[-3000.25, 0.125, 1e9]]])
    for dtype in ("float32", "float64"):
        assert to_dn(fused.clone(), torch.tensor([1.0]), dtype, None).tolist() == [
            [[-2999.25, 1.125, 1e9 + 1]]
        ] or (dtype == "float32")
