"""Training shows the network what inference shows it: examples/experiments against the library."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from geosharp.hfreqdiff.conditions import Constants, conditions, constants_of, describe
from geosharp.imaging.classic import Optics
from geosharp.imaging.resample import Axis, Span, degrade, upsample
from tests.hfreqdiff.scene import make_moments, make_optics, make_pair

EXPERIMENTS = Path(__file__).parents[2] / "examples" / "experiments"
SIDE = 64
GAINS = ((0.3, 0.25), (0.05, 0.08), (0.55, 0.6))
CASES = [(2.0, (0.7, -0.9)), (3.0, (-1.4, 0.2)), (4.0, (0.0, 1.9)), (2.7, (0.1, 0.0))]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    names = "matrices", "simulate", "spectra"
    return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def kernels_of(scripts: SimpleNamespace, optics: Optics) -> object:
    """The same optics, known exactly, of one scene whose PAN has no blur of its own."""
    ratio = optics.axes[0].ratio
    sigmas = scripts.matrices.sigma_of(torch.tensor(optics.gains), ratio)[None]
    offset = torch.tensor([[axis.offset for axis in optics.axes]])
    return scripts.matrices.Kernels(ratio, torch.zeros(1), sigmas, sigmas, offset, torch.zeros_like(sigmas))


@pytest.mark.parametrize(("ratio", "offset"), CASES)
def test_matrices_are_those_of_resample(
    scripts: SimpleNamespace, ratio: float, offset: tuple[float, float]
) -> None:
    m = scripts.matrices
    axes, gain = (Axis(ratio, offset[0]), Axis(ratio, offset[1])), (0.12, 0.3)
    kernels = kernels_of(scripts, Optics(axes, (gain,), gain))
    context = m.context_of(ratio)
    down, told, up = m.resampling(kernels, SIDE, context)
    pan = torch.randn(1, SIDE + 2 * context, SIDE + 2 * context, generator=torch.Generator().manual_seed(1))
    # The MS pixels that are simulated, less those whose kernels reach beyond PAN.
    count = down[0].shape[-2]
    source, target = Span(-context, SIDE + context), Span(-5, count - 5)
    inner = Span(-4, count - 7)
    low = m.resample(pan[None, None], down)[0, 0]
    assert torch.equal(low, m.resample(pan[None, None], told)[0, 0])
    expected = degrade(pan, (source, source), (inner, inner), axes, gain)
    assert torch.allclose(low[:, 1:-2, 1:-2], expected, atol=1e-5)
    fine = Span(0, SIDE)
    expected = upsample(low, (target, target), (fine, fine), axes)
    assert torch.allclose(m.resample(low[None, None], up)[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize(("ratio", "offset"), CASES)
def test_training_shows_what_inference_shows(
    scripts: SimpleNamespace, ratio: float, offset: tuple[float, float]
) -> None:
    m = scripts.matrices
    optics, constants = make_optics(ratio, offset, GAINS), constants_of(make_moments())
    target = (Span(0, SIDE), Span(0, SIDE))
    pair = make_pair(optics, (Span(-24, SIDE + 24), Span(-24, SIDE + 24)))
    kernels, context = kernels_of(scripts, optics), m.context_of(ratio)
    _, told, up = m.resampling(kernels, SIDE, context)
    at = [slice(-context - s.start, SIDE + context - s.start) for s in pair.pan_spans]
    pan = pair.pan[:, at[0], at[1]][None, None]
    at = [slice(-5 - s.start, told[0].shape[-2] - 5 - s.start) for s in pair.ms_spans]
    ms = pair.ms[:, at[0], at[1]][None, None]
    inner = slice(context, context + SIDE)
    of_scene = Constants(*(value[None, None] for value in vars(constants).values()))
    shown, described = scripts.simulate.present(
        pan[..., inner, inner], ms, m.resample(pan, told), up, kernels, of_scene
    )
    expected = conditions(pair, optics, constants, target)
    assert float((shown[0, 0] - expected).abs().max()) < 1e-4
    assert torch.allclose(described[0, 0], describe(optics, constants), atol=1e-5)


def test_a_simulated_pan_sees_what_sensors_see(
    scripts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is like a sensor's it sees green and hardly any short-wave infrared; it always sums to one."""
    monkeypatch.setattr(scripts.spectra, "LIKE_SENSORS", 1.0)
    draws = scripts.spectra.Draws(torch.Generator().manual_seed(3), torch.device("cpu"))
    nanometres = (485, 560, 660, 830, 1650, 2215)
    weights = scripts.spectra.weigh(nanometres, 200, 6, draws)
    torch.testing.assert_close(weights.sum(1), torch.ones(200))
    assert (weights[:, 1] > 0.1).all()
    assert (weights[:, 4:] < 0.01).all()
    assert (weights[:, 3] > 0.1).any()
    assert (weights[:, 3] < 0.02).any()


@pytest.mark.parametrize("bands", [1, 3, 8])
def test_as_many_bands_are_shown_as_are_asked_for(scripts: SimpleNamespace, bands: int) -> None:
    """Beyond those of the source they are mixtures, which lie between two of its bands."""
    draws = scripts.spectra.Draws(torch.Generator().manual_seed(5), torch.device("cpu"))
    ground = 0.1 + 0.8 * torch.rand(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(6))
    shown, pan = scripts.spectra.observe("naip_urban_native", ground, bands, draws)
    assert shown.shape == (2, 3, bands, 8, 8)
    assert pan.shape == (2, 3, 1, 8, 8)
    extended = scripts.spectra._extend(ground, bands, draws)
    assert torch.equal(extended[:, :, :4], ground)
    low, high = ground.amin(2, keepdim=True), ground.amax(2, keepdim=True)
    assert ((extended >= low - 1e-6) & (extended <= high + 1e-6)).all()


def test_what_pan_sees_between_the_bands_is_of_the_ground_and_small(scripts: SimpleNamespace) -> None:
    """As large as drawn, and no mix of the bands explains it."""
    draws = scripts.spectra.Draws(torch.Generator().manual_seed(9), torch.device("cpu"))
    ground = torch.rand(40, 1, 4, 24, 24, generator=torch.Generator().manual_seed(10))
    beyond = scripts.spectra._look_between(ground, draws)
    assert beyond.shape == (40, 1, 1, 24, 24)
    size = beyond.std((1, 2, 3, 4))
    assert (size < scripts.spectra.UNEXPLAINED).all()
    assert size.mean() == pytest.approx(scripts.spectra.UNEXPLAINED / 2, rel=0.3)
    bands = ground[0, 0].flatten(1).T
    design = torch.cat([bands, torch.ones(len(bands), 1)], 1)
    wanted = beyond[0].flatten()
    left = wanted - design @ torch.linalg.lstsq(design, wanted[:, None]).solution[:, 0]
    assert left.std() > 0.3 * wanted.std()


def test_displaced_bands_lie_where_they_are_said_to(scripts: SimpleNamespace) -> None:
    wave = torch.sin(2 * math.pi * torch.arange(64) / 16)
    matrix = scripts.matrices.displacement(torch.tensor([0.0, 0.25]), 64)
    torch.testing.assert_close(matrix[0] @ wave, wave, atol=1e-5, rtol=0)
    expected = torch.sin(2 * math.pi * (torch.arange(64) + 0.25) / 16)
    torch.testing.assert_close((matrix[1] @ wave)[4:-4], expected[4:-4], atol=2e-3, rtol=0)
