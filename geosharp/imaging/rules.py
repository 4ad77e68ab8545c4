"""What a method asks of the tiler."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeRules:
    """multiple: tiles start and end at multiples of this many PAN pixels; halo: context around a
    tile in PAN pixels, (rows, cols), that a pixel's result may depend on; work: bytes that computing takes
    for each PAN pixel, halo included, and band, beyond what any method takes; beside: bytes that a pixel's
    result holds beside its value."""

    multiple: int
    halo: tuple[int, int]
    work: int = 0
    beside: int = 0
