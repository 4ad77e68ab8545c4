"""What a method asks of the tiler."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SizeRules:
    """multiple: tiles start and end at multiples of this many PAN pixels; halo: context around a
    tile in PAN pixels, (rows, cols), that a pixel's result may depend on; work: bytes that computing takes
    for each PAN pixel, halo included, and band, beyond what any method takes."""

    multiple: int
    halo: tuple[int, int]
    work: int = 0
