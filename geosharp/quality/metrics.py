"""How far a fused image lies from its reference: arrays in, one float out.

Images are (band, row, col), of any real dtype, computed on as float64. `valid` is a (row, col) mask: a
pixel outside it, or not finite, never counts, nor does a window or block that touches one. Where nothing
is left that counts the result is nan. The conventions are those of the tables that results are held
against, and where these differ among themselves the docstring says which was taken.

Each function is the score of its name, over one window; what does not fit in memory is fed to that score
window by window (see `windows`).
"""

from __future__ import annotations

from geosharp.quality.blocks import Q2n, Uqi
from geosharp.quality.neighbourhood import Scc, Ssim
from geosharp.quality.pixelwise import Ergas, Psnr, Sam
from geosharp.quality.windows import Image, Mask, cut_window, score_once


def psnr(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB, pooled: one MSE over all bands, peak = the reference's maximum."""
    return score_once(Psnr(), cut_window(reference, fused, valid))


def psnr_per_band(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Mean over bands of each band's PSNR in dB, against the one peak that `psnr` takes.

    Never below `psnr`, and up to 1.5 dB above where bands are unequally hard.
    """
    return score_once(Psnr(pooled=False), cut_window(reference, fused, valid))


def ergas(reference: Image, fused: Image, ratio: float, valid: Mask | None = None) -> float:
    """Relative global error, 100 / ratio * sqrt(mean_b(MSE_b / mean_b^2)), means of the reference.

    ratio: MS pixel size over PAN pixel size, such as 4. Wald (2000).
    """
    return score_once(Ergas(ratio), cut_window(reference, fused, valid))


def sam(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Mean angle in degrees between the spectra of a pixel, over pixels where neither is all zero."""
    return score_once(Sam(), cut_window(reference, fused, valid))


def scc(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Spatial correlation: one cosine, over all bands at once, of the Sobel magnitudes.

    The images are continued by zeros, so that their frame counts as an edge.
    """
    return score_once(Scc(), cut_window(reference, fused, valid))


def ssim(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Structural similarity, Gaussian window of 11 x 11 and sigma 1.5, mean over whole windows and bands.

    The dynamic range is the reference's maximum, as in `psnr`; the streamed score has to be told it, and
    nan takes its place where that is not positive. Wang et al. (2004).
    """
    window = cut_window(reference, fused, valid)
    return score_once(Ssim(float(window.reference.max(initial=0.0))), window)


def uqi(reference: Image, fused: Image, valid: Mask | None = None) -> float:
    """Universal quality index: mean over bands and blocks of 32 x 32. Wang & Bovik (2002)."""
    return score_once(Uqi(), cut_window(reference, fused, valid))


def q2n(reference: Image, fused: Image, valid: Mask | None = None, *, normalise: bool = True) -> float:
    """Quality of a pixel's bands as one hypercomplex number: mean over blocks of 32 x 32 of |Q|.

    Q = cov(x, y*) / ((var x + var y) / 2) * 2 |mean x| |mean y| / (|mean x|^2 + |mean y|^2), bands padded
    by zeros to a power of two. Garzelli & Nencini (2009). normalise: in each block each band of both images
    is first brought to the reference's mean 1 and standard deviation 1 (ddof 1), as their published code
    does, for one band too, and every table of Q4 and Q8 is made; without it, one band gives |uqi|.
    """
    return score_once(Q2n(normalise=normalise), cut_window(reference, fused, valid))
