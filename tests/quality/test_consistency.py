"""Laws of the scores without reference: what is perfect, what is punished, what says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from geosharp.errors import PairError
from geosharp.quality import consistency, metrics
from geosharp.quality.blocks import Uqi
from geosharp.quality.windows import cut_pan_window, walk
from tests.quality.images import made_image, noisy

RATIO = 4


def degrade(image: np.ndarray, ratio: int = RATIO) -> np.ndarray:
    bands, rows, cols = image.shape
    return image.reshape(bands, rows // ratio, ratio, cols // ratio, ratio).mean((2, 4))


def scene(ratio: int = RATIO) -> tuple[np.ndarray, ...]:
    """A fine image and PAN that is a mix of its bands, and both on the MS grid."""
    fine = made_image(shape=(128, 192)).astype(float)
    pan = np.tensordot([0.1, 0.2, 0.3, 0.4], fine, 1)[None]
    return fine, pan, degrade(fine, ratio), degrade(pan, ratio)


FINE: dict[str, Callable[..., float]] = {
    "d_s": lambda fused, pan, valid=None: consistency.d_s(fused, pan, degrade(fused), degrade(pan), 4, valid),
    "d_s_regression": consistency.d_s_regression,
    "d_rho": lambda fused, pan, valid=None: consistency.d_rho(fused, pan, 4, valid),
}
on_pans_grid = pytest.mark.parametrize("name", FINE)


@pytest.mark.parametrize("score", [consistency.d_lambda, consistency.d_lambda_toolbox])
def test_d_lambda_is_zero_where_the_degraded_result_is_the_ms_and_else_one_less_q2n(
    score: Callable[..., float],
) -> None:
    _, _, ms, _ = scene()
    # What was added lies beyond the MS's resolution, so that degrading removes it.
    checks = np.indices((128, 192)).sum(0) % 2 * 80 - 40
    assert score(ms, degrade(scene()[0] + checks)) == pytest.approx(0, abs=1e-12)
    assert score(ms, noisy(ms, 40)) == 1 - metrics.q2n(ms, noisy(ms, 40)) > 0.01


@pytest.mark.parametrize("ratio", [2, 4])
def test_d_s_is_the_mean_change_of_a_bands_q_with_pan_from_coarse_to_fine(ratio: int) -> None:
    fine, pan, ms, pan_lr = scene(ratio)
    fused, side = noisy(fine, 40), 32 // ratio
    fused[0] = pan[0]  # a change upwards among those downwards

    def q(x: np.ndarray, y: np.ndarray, block: int) -> float:
        blocks = []
        for row, col in np.ndindex(x.shape[0] // block, x.shape[1] // block):
            part = np.s_[row * block : (row + 1) * block, col * block : (col + 1) * block]
            a, b = x[part], y[part]
            likeness = 2 * np.mean((a - a.mean()) * (b - b.mean())) / (a.var() + b.var())
            blocks.append(likeness * 2 * a.mean() * b.mean() / (a.mean() ** 2 + b.mean() ** 2))
        return float(np.mean(blocks))

    changes = [q(f, pan[0], 32) - q(m, pan_lr[0], side) for f, m in zip(fused, ms, strict=True)]
    assert min(changes) < -0.01 < 0.01 < max(changes)
    expected = np.mean(np.abs(changes))
    assert consistency.d_s(fused, pan, ms, pan_lr, ratio) == pytest.approx(expected, abs=1e-12)


def test_d_s_streams_with_a_walk_on_each_grid() -> None:
    fine, pan, ms, pan_lr = scene()
    fine, pan = noisy(fine, 40)[:, :, :180], pan[:, :, :180]
    ms, pan_lr = ms[:, :, :45], pan_lr[:, :, :45]
    scores = Uqi(), Uqi(consistency.coarse_block(RATIO))
    for score, first, second, size in ((scores[0], pan, fine, 64), (scores[1], pan_lr, ms, 16)):
        for outer, core in walk(second.shape[1:], size, block=8):
            part = np.s_[:, outer.row : outer.stop_row, outer.col : outer.stop_col]
            score.add(cut_pan_window(first[part], second[part], None, core))
    whole = consistency.d_s(fine, pan, ms, pan_lr, RATIO)
    assert consistency.q_distance(*scores) == pytest.approx(whole, rel=1e-12)


def test_a_coarse_block_covers_the_ground_of_a_fine_one_at_any_ratio() -> None:
    assert [consistency.coarse_block(ratio) for ratio in (1, 2, 3, 4, 4.000245, 16)] == [32, 16, 11, 8, 8, 2]


def test_d_s_tells_a_mask_on_each_grid_and_bands_that_differ() -> None:
    fine, pan, ms, pan_lr = scene()
    fused, valid = noisy(fine, 40), np.ones((128, 192), bool)
    valid[32:, :] = False
    valid_lr = valid[::4, ::4]
    kept = consistency.d_s(fused[:, :32], pan[:, :32], ms[:, :8], pan_lr[:, :8], RATIO)
    assert consistency.d_s(fused, pan, ms, pan_lr, RATIO, valid, valid_lr) == pytest.approx(kept, abs=1e-12)
    assert consistency.d_s(fused, pan, ms, pan_lr, RATIO, valid) != pytest.approx(kept, abs=1e-6)
    with pytest.raises(PairError, match="3 and 4 bands"):
        consistency.d_s(fused, pan, ms[:3], pan_lr, RATIO)


def test_d_s_regression_is_the_variance_that_least_squares_leaves() -> None:
    fine, pan, _, _ = scene()
    assert consistency.d_s_regression(fine, pan) == pytest.approx(0, abs=1e-12)
    fused = noisy(fine, 40)
    bands = fused.reshape(4, -1).T
    left = pan.ravel() - bands @ np.linalg.lstsq(bands, pan.ravel(), rcond=None)[0]
    expected = left.var() / pan.var()
    assert consistency.d_s_regression(fused, pan) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.01
    assert consistency.d_s_regression(fused[[0, 0, 1, 2, 3]], pan) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("ratio", "side"), [(2, 2), (3, 4), (4, 4), (4.3, 6)])
def test_d_rho_is_one_less_the_correlation_over_an_ms_pixels_ground(ratio: float, side: int) -> None:
    fine, pan = made_image(2, (24, 20)).astype(float), made_image(1, (24, 20), seed=5).astype(float)
    found = []
    for band, row, col in np.ndindex(2, 24 - side + 1, 20 - side + 1):
        window = np.s_[row : row + side, col : col + side]
        found.append(np.corrcoef(fine[band][window].ravel(), pan[0][window].ravel())[0, 1])
    assert consistency.d_rho(fine, pan, ratio) == pytest.approx(1 - np.mean(found), abs=1e-9)


def test_hqnr_is_the_product_of_what_both_distortions_leave() -> None:
    assert consistency.hqnr(0, 0) == 1
    assert consistency.hqnr(0.1, 0.2) == pytest.approx(0.72)


@on_pans_grid
def test_what_stands_in_invalid_pixels_changes_nothing(name: str) -> None:
    fine, pan, _, _ = scene()
    fused, valid = noisy(fine, 40), np.ones((128, 192), bool)
    valid[20:40, 30:50] = False
    expected = FINE[name](fused, pan, valid)
    assert expected != FINE[name](fused, pan)
    if name != "d_s":  # whose degraded images are made from what stands there
        fused[:, ~valid], pan[:, ~valid] = np.nan, np.inf
        assert FINE[name](fused, pan, valid) == expected


@on_pans_grid
def test_nothing_valid_or_a_flat_pan_without_anything_to_say_is_nan(name: str) -> None:
    fine, pan, _, _ = scene()
    assert math.isnan(FINE[name](fine, pan, np.zeros((128, 192), bool)))
    if name != "d_s":
        assert math.isnan(FINE[name](fine, 0 * pan + 500))
    assert math.isnan(consistency.d_lambda(fine, fine, np.zeros((128, 192), bool)))


@on_pans_grid
def test_a_pan_of_another_grid_is_told(name: str) -> None:
    fine, pan, _, _ = scene()
    for wrong in (pan[:, :64], fine[:2]):
        with pytest.raises(PairError, match="PAN"):
            FINE[name](fine, wrong)


def test_values_whose_squares_float64_does_not_hold_are_explained_by_nothing() -> None:
    fine, pan, _, _ = scene()
    assert math.isnan(consistency.d_s_regression(1e200 * fine.astype(float), pan))
