"""Calibration finds what was planted, keeps finding it, and says where it cannot."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geosharp.padm.calibrate import Progress, calibrate
from geosharp.padm.calibration import Calibration, parse_calibration
from geosharp.padm.iterate import Operator, explain
from geosharp.padm.sample import Sample
from geosharp.raster.scene import Scene, SceneReader, open_scene
from tests.made import write_raster
from tests.padm.conftest import GAINS, SHIFT
from tests.padm.planted import WEIGHTS, degrade_exactly, make_ground, plant


def assert_found(calibration: Calibration, gains: tuple[float, float], shift: tuple[float, float]) -> None:
    gain_error, shift_error = calibration.operator.apart(Operator(gains, shift))
    assert calibration.verdict == "converged", calibration.reasons
    assert gain_error < 0.02
    assert shift_error < 0.1


@pytest.mark.parametrize(
    ("ratio", "gains", "shift", "offset", "noise"),
    [
        (2.0, (0.45, 0.25), (1.9, -0.3), (0.0, 0.0), 30),
        (3.0, (0.1, 0.15), (-3.5, 3.0), (0.5, 0.5), 20),
        (4.0, (0.3, 0.5), (-0.4, 4.0), (0.0, 0.0), 20),
        (2.5, (0.2, 0.2), (0.0, 0.0), (7.2, -3.4), 40),
        (8.0, (0.3, 0.2), (2.0, -3.0), (0.0, 0.0), 40),
    ],
)
def test_what_was_planted_is_found(
    tmp_path: Path,
    ratio: float,
    gains: tuple[float, float],
    shift: tuple[float, float],
    offset: tuple[float, float],
    noise: float,
) -> None:
    size = 512 if ratio == 8 else 288
    scene = plant(tmp_path, ratio=ratio, gains=gains, shift=shift, offset=offset, noise=noise, size=size)
    calibration = calibrate(scene)
    assert_found(calibration, gains, shift)
    assert len(calibration.starts) == 4


def test_the_shared_scene_s_plant_is_found(calibration: Calibration) -> None:
    assert_found(calibration, GAINS, SHIFT)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_scene_is_calibrated_to_the_same_bits_and_threads_are_given_back(
    scene: Scene, calibration: Calibration, threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert calibrate(scene) == calibration
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_two_at_once_give_all_threads_back(scene: Scene) -> None:
    counts: list[int] = []
    begins = [Operator(GAINS, SHIFT)]

    def run(tell: Progress | None = None) -> None:
        calibrate(scene, starts=begins, progress=tell)
        counts.append(torch.get_num_threads())

    second = threading.Thread(target=run)
    first = threading.Thread(
        target=run, args=(lambda stage, share: second.start() if stage == "iterate" else None,)
    )
    later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        first.start()
        first.join()
        second.join()
        later.start()
        later.join()
        assert counts == [3, 3, 3]
    finally:
        torch.set_num_threads(before)


def test_a_shifted_copy_shifts_the_estimate_by_as_much(tmp_path: Path, calibration: Calibration) -> None:
    moved = calibrate(plant(tmp_path, gains=GAINS, shift=(SHIFT[0] - 1.5, SHIFT[1] + 2.25), noise=40))
    down, right = np.subtract(moved.operator.shift, calibration.operator.shift)
    assert (down, right) == pytest.approx((-1.5, 2.25), abs=0.01)
    assert moved.operator.gains == pytest.approx(calibration.operator.gains, abs=0.005)


def test_scaling_dn_changes_constants_alone(tmp_path: Path, calibration: Calibration) -> None:
    scaled = calibrate(plant(tmp_path, gains=GAINS, shift=SHIFT, noise=40, level=3000.0, contrast=300.0))
    assert scaled.operator.apart(calibration.operator)[0] < 2e-4
    assert scaled.operator.apart(calibration.operator)[1] < 1e-3
    assert scaled.explained == pytest.approx(calibration.explained, abs=1e-4)
    for one, other in zip(scaled.bands, calibration.bands, strict=True):
        assert (one.weight, one.injection) == pytest.approx((other.weight, other.injection), abs=1e-3)
    assert scaled.constants.pan_std == pytest.approx(3 * calibration.constants.pan_std, rel=1e-4)


def test_the_order_of_bands_does_not_matter(scene: Scene, calibration: Calibration) -> None:
    order = [3, 1, 4, 2]
    turned = calibrate(open_scene(scene.pan.name, scene.ms[0].name, bands=order))
    assert turned.operator.apart(calibration.operator)[0] < 2e-4
    assert turned.operator.apart(calibration.operator)[1] < 1e-3
    for band, number in zip(turned.bands, order, strict=True):
        same = calibration.bands[number - 1]
        assert (*band.gains, band.weight) == pytest.approx((*same.gains, same.weight), abs=1e-3)


def test_bands_are_told_in_dn(calibration: Calibration) -> None:
    weights = [band.weight for band in calibration.bands]
    np.testing.assert_allclose(weights, WEIGHTS, atol=0.02)
    # PAN's level is the bands': nothing is left.
    assert calibration.offset == pytest.approx(1000 * (1 - sum(weights)), abs=2)
    assert calibration.explained > 0.99 > calibration.table_explained


def test_starts_may_be_told(scene: Scene, calibration: Calibration) -> None:
    told = calibrate(scene, starts=[Operator((0.1, 0.6), (2.0, 0.0))])
    assert [run.start for run in told.starts] == [Operator((0.1, 0.6), (2.0, 0.0))]
    assert told.operator.apart(calibration.operator)[0] < 0.002


@pytest.mark.parametrize("starts", [None, [Operator((0.1, 0.6), (2.0, 0.0))]])
def test_without_alignment_gains_are_the_best_where_the_geotransforms_say(
    scene: Scene, sample: Sample, starts: list[Operator] | None
) -> None:
    trusted = calibrate(scene, align=False, starts=starts)
    assert trusted.verdict == "converged"
    assert trusted.errors is not None
    assert min(trusted.errors[:2]) > 0
    assert trusted.errors[2:] == (None, None)
    assert trusted.misfit == pytest.approx(SHIFT, abs=0.05)
    assert "seems to lie" in trusted.notes[0]
    assert trusted.operator.shift == trusted.degradation.shift == (0.0, 0.0)
    assert all(run.start.shift == run.end.shift == (0.0, 0.0) for run in trusted.starts)
    best = explain(sample, trusted.operator)
    for factor, other in itertools.product((0.9, 1.1), (0.9, 1.1)):
        rows, cols = trusted.operator.gains
        assert explain(sample, Operator((rows * factor, cols * other), (0.0, 0.0))) < best


@pytest.mark.parametrize("size", [4.0, 6.0])
def test_a_shift_that_was_not_to_be_learnt_is_the_reason_for_doubt(tmp_path: Path, size: float) -> None:
    trusted = calibrate(plant(tmp_path, ratio=2.0, shift=(size, -size), size=384), align=False)
    assert not trusted.usable
    assert trusted.misfit == pytest.approx((size, -size), abs=0.5)
    (note,) = trusted.notes
    assert re.search(rf"{size:.0f}(\.0)? PAN pixels down and {size:.0f}(\.0)? left", note)
    assert ("--no-align" in note) == (size < 4.5)


def test_without_alignment_nothing_is_told_of_an_aligned_pair(tmp_path: Path) -> None:
    trusted = calibrate(plant(tmp_path, shift=(0.6, 0.6), noise=40), align=False)
    assert trusted.misfit is None
    assert trusted.notes == ()


def test_all_starts_come_to_one_end(calibration: Calibration) -> None:
    ends = [run.end for run in calibration.starts]
    assert max(end.apart(ends[0])[0] for end in ends) < 0.005
    assert max(end.apart(ends[0])[1] for end in ends) < 0.02
    assert all(run.converged and run.history for run in calibration.starts)


def test_progress_is_told_and_grows(scene: Scene) -> None:
    told: list[tuple[str, float]] = []
    calibrate(scene, progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-2] < shares[-1] == 1
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["read", "iterate", "refine", "bands", "done"]


@pytest.mark.parametrize("shift", [(5.5, 0.0), (-9.0, 14.0)])
def test_a_shift_beyond_reach_is_told_with_its_size(tmp_path: Path, shift: tuple[float, float]) -> None:
    made = plant(tmp_path, gains=(0.15, 0.15), shift=shift, size=384)
    found = calibrate(made)
    assert found.verdict == "unidentifiable"
    assert found.degradation.shift == (0.0, 0.0)
    (reason,) = found.reasons
    assert "correct MS's geotransform" in reason
    down, up = ("down", "up"), ("right", "left")
    for size, (plus, minus) in zip(shift, (down, up), strict=True):
        told = int(re.search(rf"(\d+) (?:PAN pixels )?(?:{plus}|{minus})", reason)[1])  # type: ignore[index]
        assert abs(told - abs(size)) <= 1
        assert size == 0 or (plus if size > 0 else minus) in reason


def same_pixels(scene: Scene, folder: Path, pan: np.ndarray, ms: np.ndarray, **profile: object) -> Scene:
    return open_scene(
        write_raster(folder / "p.tif", pan, **profile),
        write_raster(folder / "m.tif", ms, transform=scene.ms_grid.transform, **profile),
    )


@pytest.mark.parametrize("kind", ["flat", "strangers", "empty", "small", "noise"])
def test_what_cannot_be_told_is_the_tables(scene: Scene, tmp_path: Path, kind: str) -> None:
    pan, ms = np.full((1, 256, 256), 7, np.uint16), np.full((4, 64, 64), 9, np.uint16)
    rng = np.random.default_rng(0)
    if kind == "strangers":
        pan = (100 + 10 * make_ground(256, 1, seed=5)).astype(np.float32)[:1]
        ms = (100 + 10 * make_ground(64, 4, seed=6)).astype(np.float32)
    if kind == "noise":
        pan, ms = (rng.normal(100, 9, each.shape).astype(np.float32) for each in (pan, ms))
    if kind == "small":
        pan, ms = (
            rng.integers(5, 99, each.shape).astype(np.uint16) for each in (pan[:, :64, :64], ms[:, :16, :16])
        )
    profile = {"nodata": 9} if kind == "empty" else {}
    made = same_pixels(scene, tmp_path, pan, ms, **profile)
    found = calibrate(made)
    assert found.verdict == "unidentifiable"
    assert not found.usable
    assert found.reasons
    assert found.degradation.gains == tuple((band.optics.gain,) * 2 for band in made.bands)
    assert found.degradation.shift == (0.0, 0.0)
    assert found.errors is None
    # Nothing of the operator that was rejected, and no digit that sums leave.
    assert found.explained == found.table_explained
    assert {(band.weight, band.injection, band.explained) for band in found.bands} == {(None, None, None)}
    assert parse_calibration(found.as_json(), "itself") == found
    assert ("no MS pixel is valid" in found.reasons[0]) == (kind == "empty")


def test_the_table_is_told_without_digits_that_sums_leave(tmp_path: Path) -> None:
    made = plant(tmp_path, ground=np.zeros((4, 64, 64)))
    of_pleiades = open_scene(made.pan.name, made.ms[0].name, sensor="pleiades")
    assert calibrate(of_pleiades).operator.gains == (0.2825, 0.2825)


def test_a_scene_smaller_than_a_kernel_is_told_so(tmp_path: Path) -> None:
    found = calibrate(plant(tmp_path, size=32))
    assert found.verdict == "unidentifiable"
    assert "32 x 32 pixels is too small" in found.reasons[0]


def test_a_gain_at_its_bound_is_told_by_what_it_means(tmp_path: Path) -> None:
    found = calibrate(plant(tmp_path, gains=(0.005, 0.3)))
    assert found.verdict == "bounded"
    (reason,) = found.reasons
    assert reason == "MS is very blurred along rows (Nyquist gain 0.02 or less): fuse allows for that"


def test_a_part_that_lies_elsewhere_is_told(tmp_path: Path) -> None:
    ground = make_ground(384, 4)
    made = plant(tmp_path, ratio=2.0, ground=ground)
    with SceneReader(made) as reader:
        pan, ms = reader.read_pan(made.grid.rect)[0], reader.read_ms(made.ms_grid.rect)[0]
    ms[:, 128:, 128:] = np.roll(ms, 1, 1)[:, 128:, 128:]
    found = calibrate(same_pixels(made, tmp_path, pan, ms))
    assert found.usable
    assert max(found.shift_spread) < 0.5
    (note,) = found.notes
    share, size = re.search(r"in (\d+)% of places MS lies about ([\d.]+) PAN pixels off", note).groups()  # type: ignore[union-attr]
    assert int(share) == 11
    assert float(size) == pytest.approx(2.0, abs=0.3)


def test_a_stretch_is_the_reason_why_no_shift_can_be_told(tmp_path: Path) -> None:
    ground = make_ground(384, 4)
    made = plant(tmp_path, ratio=2.0, ground=ground)
    with SceneReader(made) as reader:
        pan = reader.read_pan(made.grid.rect)[0]
    stretched = [degrade_exactly(band, 2.04, (0.3, 0.3), (-3.8, -3.8), (192, 192)) for band in ground]
    found = calibrate(same_pixels(made, tmp_path, pan, (1000 + 100 * np.stack(stretched)).astype(np.float32)))
    assert not found.usable
    assert found.local_shifts
    (reason,) = found.notes
    assert f"from place to place, by about {max(found.shift_spread):.1f} PAN pixels" in reason


def test_bright_clouds_and_holes_do_not_matter(tmp_path: Path, calibration: Calibration) -> None:
    made = plant(tmp_path, gains=GAINS, shift=SHIFT, noise=40)
    with SceneReader(made) as reader:
        pan, ms = reader.read_pan(made.grid.rect)[0], reader.read_ms(made.ms_grid.rect)[0]
    pan, ms = np.rint(20 * pan).astype(np.uint16), np.rint(20 * ms).astype(np.uint16)
    pan[0, 40:72, 40:90], ms[:, 10:18, 10:22] = 65535, 65535
    pan[0, 180:200, 100:140], ms[:, 50:53, 2:9] = 0, 0
    assert_found(calibrate(same_pixels(made, tmp_path, pan, ms, nodata=0)), GAINS, SHIFT)


# R2 of the best single Gaussian and shift, less what is no difference.
REAL = {"gf2_strip": 0.986, "l8_scene12": 0.971, "l8_scene5": 0.975}


@pytest.fixture(scope="module")
def real(data: Path) -> dict[str, Calibration]:
    folders = {name: data / "bench" / name for name in REAL}
    return {name: calibrate(open_scene(at / "pan.tif", at / "ms.tif")) for name, at in folders.items()}


def test_real_scenes_are_explained_as_well_as_by_brute_force(real: dict[str, Calibration]) -> None:
    for name, found in real.items():
        assert found.usable
        assert found.explained >= REAL[name], name


def test_two_scenes_of_one_sensor_agree(real: dict[str, Calibration]) -> None:
    ends = [real[name].operator for name in ("l8_scene5", "l8_scene12")]
    assert ends[0].apart(ends[1])[0] < 0.02
    assert replace(ends[0], gains=(0.3, 0.3)).apart(replace(ends[1], gains=(0.3, 0.3)))[1] < 0.05
