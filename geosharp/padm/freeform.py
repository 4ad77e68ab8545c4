"""Is the blur a Gaussian? A kernel of any form, fitted to the same A(MS), says what a Gaussian leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from geosharp.padm.align import Floats, fit_response
from geosharp.padm.degrade import FreeDegradeNet, weigh_gaussian
from geosharp.padm.iterate import Operator, explain_by, fit_align, take_products
from geosharp.padm.sample import BLUR_REACH, Sample

# Knots per MS pixel, where PAN has so many pixels.
_DENSITY = 4
# Of a knot's mean curvature: how firmly weights are held to the Gaussian's.
_PROXIMAL = 1.0
# Of the same: how firmly the centroid is held.
_CENTRED = 100.0


@dataclass(frozen=True)
class FreeForm:
    """A diagnosis; nothing is degraded by it.

    kernel: rows of weights on knots about the shifted centre, `spacing` (rows, cols) PAN pixels apart;
    explained: R2 with it on windows that it was not fitted to, gaussian: with the Gaussian on the same.
    """

    kernel: tuple[tuple[float, ...], ...]
    spacing: tuple[float, float]
    explained: float
    gaussian: float


def fit_free_form(sample: Sample, operator: Operator) -> FreeForm:
    """The non-negative kernel of `operator`'s centroid that is nearest to A(MS), A being the Gaussian's.

    Least squares with a proximal term towards the Gaussian.
    """
    products = take_products(sample, operator.net(sample.ratio))
    response, _ = fit_align(products)
    net = _sample_gaussian(operator, sample.ratio)
    parts = _take_products(sample, net)
    first = np.arange(len(parts)) % 2 == 0
    explained, gaussian = [], []
    for own in (first, ~first):
        weights = _solve(parts[own].sum(0), response, net)
        explained.append(_explain(parts[~own].sum(0), weights))
        gaussian.append(fit_align(products[~own])[1])
    kernel = _solve(parts.sum(0), response, net)
    rows = tuple(tuple(row) for row in kernel.round(5).tolist())
    return FreeForm(rows, net.spacing, float(np.mean(explained)), float(np.mean(gaussian)))


def _sample_gaussian(operator: Operator, ratio: tuple[float, float]) -> FreeDegradeNet:
    """The operator on knots."""
    sides, spacings = [], []
    for gain, each in zip(operator.gains, ratio, strict=True):
        spacing = max(1.0, each / _DENSITY)
        reach = math.floor(BLUR_REACH * each / spacing) - 1
        at = spacing * np.arange(-reach, reach + 1)
        sides.append(weigh_gaussian(at, gain, each))
        spacings.append(spacing)
    return FreeDegradeNet(np.outer(*sides), (spacings[0], spacings[1]), operator.shift)


def _take_products(sample: Sample, net: FreeDegradeNet) -> Floats:
    """Per window, inner products of high-passed D(PAN) by each knot and the bands."""
    products = []
    for index in range(len(sample.rects)):
        window = sample.pick([index])
        with torch.no_grad():
            knots = window.high_pass(net.linearise(window))
        values = torch.cat([knots, window.ms], 1)[0].flatten(1)
        products.append((values @ values.T).double().numpy())
    return np.stack(products)


def _solve(products: Floats, response: Floats, net: FreeDegradeNet) -> Floats:
    """Weights (row, col), non-negative and of sum one, of the net's knots."""
    start = net.weights.detach().numpy()
    knots = start.size
    cov, toward = products[:knots, :knots], products[:knots, knots:] @ response
    curvature = float(np.trace(cov)) / knots
    # A(MS) is what bands show of D(PAN), so of less contrast: the gain is free until the end.
    gain = start.ravel() @ toward / (start.ravel() @ cov @ start.ravel())
    places = [np.arange(size) - (size - 1) / 2 for size in start.shape]
    off = np.stack(np.meshgrid(*places, indexing="ij")).reshape(2, -1)
    held = curvature * (_PROXIMAL * np.eye(knots) + _CENTRED * off.T @ off)
    weights = fit_response(cov + held, toward + curvature * _PROXIMAL * gain * start.ravel())
    return np.asarray(weights.reshape(start.shape) / weights.sum())


def _explain(products: Floats, weights: Floats) -> float:
    knots = weights.size
    mixed = weights.ravel() @ products[:knots]
    return explain_by(float(mixed[:knots] @ weights.ravel()), mixed[knots:], products[knots:, knots:])[1]
