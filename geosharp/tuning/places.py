"""Which places of a scene are learnt from, and which are kept aside to judge by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from geosharp.raster.grid import Rect
from geosharp.raster.source import Mask
from geosharp.tuning.verdict import FEWEST

# MS pixels a side of what is scored of a place: a block of Q2n.
CORE = 32
# One block in so many is kept aside.
_SHARE = 5
# Blocks without which there is nothing to learn from beside what is kept aside.
_LEAST = 4
# Places of a scene that are learnt from, at most: so many are a scene, and no scene is a burden to memory.
_MOST_TAUGHT = 2000
# Share of a block that must be valid for it to be kept aside, and to be learnt from.
_WHOLE, SOME = 0.9, 0.2


@dataclass(frozen=True)
class Places:
    """Squares of a scene's MS pixels. held: kept aside, unseen by what learns; guard: so many MS pixels at
    their rims are not scored, since kernels reach there from outside; taught: what patches lie about."""

    held: tuple[Rect, ...]
    taught: tuple[Rect, ...]
    guard: int

    @property
    def scored(self) -> tuple[Rect, ...]:
        return tuple(rect.grow(-self.guard, -self.guard) for rect in self.held)


def choose_places(
    area: Rect, guard: int, share_valid: Callable[[Rect], float], *, seed: int, most: int
) -> Places | str:
    """Cut MS pixels `area` into blocks and keep one in five aside, `most` at most; or why it cannot be.

    Those kept aside lie a knight's move apart, so that they are spread in both directions; share_valid: of
    the pixels of a block.
    """
    side = CORE + 2 * guard
    rows, cols = area.height // side, area.width // side
    if rows * cols < _LEAST:
        return f"{area.width} x {area.height} MS pixels in common with PAN"
    top, left = area.row + (area.height - rows * side) // 2, area.col + (area.width - cols * side) // 2
    blocks = {
        (row, col): Rect(top + row * side, left + col * side, side, side)
        for row in range(rows)
        for col in range(cols)
    }
    shares = {at: share_valid(block) for at, block in blocks.items()}
    # The first that are enough to tell what is better, else the most.
    held = max((_pick(shares, seed + phase) for phase in range(_SHARE)), key=lambda at: min(len(at), FEWEST))
    held = held[:: -(-len(held) // most) or 1]
    kept = set(held)
    taught = [at for at, share in shares.items() if share >= SOME and at not in kept]
    taught = taught[:: -(-len(taught) // _MOST_TAUGHT) or 1]
    if not held or len(taught) < _LEAST - 1:
        whole = sum(share >= _WHOLE for share in shares.values())
        return f"{whole} of {len(blocks)} blocks of {side} x {side} MS pixels that are valid"
    return Places(tuple(blocks[at] for at in held), tuple(blocks[at] for at in taught), guard)


def needed_for(guard: int) -> str:
    """What a scene must have for `choose_places` to find places."""
    side = CORE + 2 * guard
    return f"{2 * side} x {2 * side} valid MS pixels or more: {_LEAST} blocks, one of which is kept aside"


def hide(valid: Mask | None, shape: tuple[int, ...], rect: Rect, places: Sequence[Rect]) -> Mask | None:
    """The mask of `rect`, (band, row, col), without `places`; None where all is valid."""
    parts = [part for place in places if not (part := place.intersect(rect)).empty]
    if not parts:
        return valid
    hidden = np.ones(shape, bool) if valid is None else valid.copy()
    for part in parts:
        hidden[:, *part.within(rect)] = False
    return hidden


def _pick(shares: dict[tuple[int, int], float], phase: int) -> list[tuple[int, int]]:
    return [
        (row, col)
        for (row, col), share in shares.items()
        if (2 * row + col) % _SHARE == phase % _SHARE and share >= _WHOLE
    ]
