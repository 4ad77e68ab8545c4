"""What is known of each sensor.

A sensor is one entry of the table below: wavelengths in nm, MTF gains at the Nyquist frequency (of the MS
grid for a band, of the PAN grid for PAN) and the names it goes by. Where a gain is not published, it is the
unknown sensor's. To add a sensor, add an entry; a user's own is a file, see sensor_file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Range = tuple[float, float]

MS_GAIN, PAN_GAIN = 0.30, 0.15
_BGRN = ("blue", "green", "red", "nir")


@dataclass(frozen=True)
class Band:
    """wavelength_nm: lower and upper edge, None where unknown; gain: of the MTF at the Nyquist frequency;
    assumed: whether that is the unknown sensor's, as nobody has told this one's."""

    name: str
    wavelength_nm: Range | None
    gain: float
    assumed: bool = False


@dataclass(frozen=True)
class Origin:
    """The sensor file that told of a sensor: its name without folders, and its SHA-256."""

    name: str
    digest: str


@dataclass(frozen=True)
class Sensor:
    """A satellite's PAN and MS instruments.

    bundles: number of bands of a usual delivery -> their names in order; numbers: the vendor's band
    number ("b4") -> name; aliases: other names, in small letters and digits alone; files: a pattern that only
    this sensor's file names contain, as whole words; bits: of a DN, None where that is not known; origin:
    None for those of the table below; pan_assumed: as of a band.
    """

    key: str
    title: str
    bands: tuple[Band, ...]
    pan_gain: float
    pan_nm: Range
    bundles: Mapping[int, tuple[str, ...]] = field(hash=False, default_factory=dict)
    numbers: Mapping[str, str] = field(hash=False, default_factory=dict)
    aliases: tuple[str, ...] = ()
    files: str = ""
    bits: int | None = None
    origin: Origin | None = None
    pan_assumed: bool = False


def plain(name: str) -> str:
    """Small letters and digits alone, without accents: what names are compared by."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isascii() and letter.isalnum())


def _bands(spans: Mapping[str, Range], gains: Sequence[float] | float | None = None) -> tuple[Band, ...]:
    """Without gains, these are assumed."""
    if gains is None:
        return tuple(Band(name, span, MS_GAIN, assumed=True) for name, span in spans.items())
    each = [gains] * len(spans) if isinstance(gains, float) else gains
    return tuple(Band(name, span, gain) for (name, span), gain in zip(spans.items(), each, strict=True))


def _four(blue: Range, green: Range, red: Range, nir: Range) -> dict[str, Range]:
    return dict(zip(_BGRN, (blue, green, red, nir), strict=True))


_BUNDLES = {3: _BGRN[:3], 4: _BGRN}
_EIGHT = {
    "coastal": (400, 450),
    "blue": (450, 510),
    "green": (510, 580),
    "yellow": (585, 625),
    "red": (630, 690),
    "rededge": (705, 745),
    "nir1": (770, 895),
    "nir2": (860, 1040),
}
_EIGHT_BUNDLES = {8: tuple(_EIGHT), 4: ("blue", "green", "red", "nir1"), 3: _BGRN[:3]}
_NEO = {"coastal": (400, 450), **_four((450, 520), (530, 590), (620, 690), (770, 880)), "rededge": (700, 750)}
_OLI = {
    "coastal": (435, 451),
    **_four((452, 512), (533, 590), (636, 673), (851, 879)),
    "swir1": (1566, 1651),
    "swir2": (2107, 2294),
    "cirrus": (1363, 1384),
    "thermal1": (10600, 11190),
    "thermal2": (11500, 12510),
}
_OLI_BUNDLES = {7: tuple(_OLI)[:7], 6: tuple(_OLI)[1:7], 4: _BGRN, 3: _BGRN[:3]}
_OLI_NUMBERS = {f"b{i}": name for i, name in zip((1, 2, 3, 4, 5, 6, 7, 9, 10, 11), _OLI, strict=True)}
_ETM = {
    **_four((450, 520), (520, 600), (630, 690), (770, 900)),
    "swir1": (1550, 1750),
    "swir2": (2080, 2350),
    "thermal": (10400, 12500),
}
_ETM_NUMBERS = {f"b{i}": name for i, name in zip((1, 2, 3, 4, 5, 7, 6), _ETM, strict=True)}
_DIMAP_NUMBERS = {f"b{i}": name for i, name in enumerate(_BGRN)}
_SPOT = _four((450, 520), (530, 590), (625, 695), (760, 890))
_GAOFEN = _four((450, 520), (520, 590), (630, 690), (770, 890))
_KOMPSAT = _four((450, 520), (520, 600), (630, 690), (760, 900))
_GEOEYE = _four((450, 510), (510, 580), (655, 690), (780, 920))

UNKNOWN = Sensor(
    "unknown",
    "an unknown sensor",
    # Wide enough for any sensor: what a band's name says is what can be known.
    _bands(
        {
            **_EIGHT,
            "nir": (770, 900),
            "swir1": (1550, 1750),
            "swir2": (2080, 2350),
            "thermal": (10400, 12500),
        },
    ),
    PAN_GAIN,
    (400, 1000),
    pan_assumed=True,
)

_ALL = (
    Sensor(
        "quickbird",
        "QuickBird",
        _bands(_four((450, 520), (520, 600), (630, 690), (760, 900)), (0.34, 0.32, 0.30, 0.22)),
        0.15,
        (450, 900),
        _BUNDLES,
        aliases=("quickbird2", "qb", "qb2", "qb02"),
        files="QB0?2",
    ),
    Sensor(
        "ikonos",
        "IKONOS",
        _bands(_four((445, 516), (506, 595), (632, 698), (757, 853)), (0.26, 0.28, 0.29, 0.28)),
        0.17,
        (526, 929),
        _BUNDLES,
        aliases=("ikonos2", "ik", "ik01", "ik02"),
        files="IK0[12]",
    ),
    Sensor(
        "geoeye-1",
        "GeoEye-1",
        _bands(_GEOEYE, 0.23),
        0.16,
        (450, 800),
        _BUNDLES,
        aliases=("geoeye", "geoeye01", "ge1", "ge01"),
        files="GE01",
    ),
    Sensor(
        "worldview-2",
        "WorldView-2",
        _bands(_EIGHT, (0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.27)),
        0.11,
        (450, 800),
        _EIGHT_BUNDLES,
        aliases=("worldview02", "wv2", "wv02"),
        files="WV0?2",
    ),
    Sensor(
        "worldview-3",
        "WorldView-3",
        _bands(_EIGHT, (0.325, 0.355, 0.360, 0.350, 0.365, 0.360, 0.335, 0.315)),
        0.14,
        (450, 800),
        _EIGHT_BUNDLES,
        aliases=("worldview03", "wv3", "wv03"),
        files="WV0?3",
    ),
    Sensor(
        "worldview-4",
        "WorldView-4",
        _bands(_GEOEYE, 0.23),
        0.16,
        (450, 800),
        _BUNDLES,
        aliases=("worldview04", "wv4", "wv04"),
        files="WV0?4",
    ),
    Sensor(
        "pleiades",
        "Pleiades",
        _bands(_four((430, 550), (490, 610), (600, 720), (750, 950)), (0.28, 0.28, 0.29, 0.28)),
        0.15,
        (480, 830),
        _BUNDLES,
        _DIMAP_NUMBERS,
        ("pleiadeshr", "pleiades1a", "pleiades1b", "pleiades1", "phr", "phr1", "phr1a", "phr1b"),
        "PHR1[AB]",
    ),
    Sensor(
        "pleiades-neo",
        "Pleiades Neo",
        _bands(_NEO),
        PAN_GAIN,
        (450, 800),
        {6: ("red", "green", "blue", "nir", "rededge", "coastal"), **_BUNDLES},
        aliases=("pneo", "pneo3", "pneo4", "pleiadesneo3", "pleiadesneo4"),
        files="PNEO[34]?",
        pan_assumed=True,
    ),
    Sensor("spot-6", "SPOT 6", _bands(_SPOT, 0.33), 0.15, (450, 745), _BUNDLES, _DIMAP_NUMBERS, (), "SPOT6"),
    Sensor("spot-7", "SPOT 7", _bands(_SPOT, 0.33), 0.15, (450, 745), _BUNDLES, _DIMAP_NUMBERS, (), "SPOT7"),
    Sensor(
        "gaofen-1",
        "Gaofen-1",
        _bands(_GAOFEN),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        aliases=("gf1", "gf01", "gaofen01"),
        files="GF1[BCD]?[-_]PMS[12]?",
        pan_assumed=True,
    ),
    Sensor(
        "gaofen-2",
        "Gaofen-2",
        _bands(_GAOFEN),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        aliases=("gf2", "gf02", "gaofen02"),
        files="GF2[-_]PMS[12]?",
        pan_assumed=True,
    ),
    Sensor(
        "landsat-7",
        "Landsat 7 ETM+",
        _bands(_ETM),
        PAN_GAIN,
        (520, 900),
        {6: tuple(_ETM)[:6], **_BUNDLES},
        _ETM_NUMBERS,
        ("landsat7", "landsat07", "l7", "le07", "etm"),
        r"LE07|LE7\d{13}[A-Z]{3}\d\d",
        pan_assumed=True,
    ),
    Sensor(
        "landsat-8",
        "Landsat 8 OLI",
        _bands(_OLI),
        PAN_GAIN,
        (503, 676),
        _OLI_BUNDLES,
        _OLI_NUMBERS,
        ("landsat8", "landsat08", "l8", "lc08", "lo08", "oli"),
        r"L[CO]08|L[CO]8\d{13}[A-Z]{3}\d\d",
        pan_assumed=True,
    ),
    Sensor(
        "landsat-9",
        "Landsat 9 OLI-2",
        _bands(_OLI),
        PAN_GAIN,
        (503, 676),
        _OLI_BUNDLES,
        _OLI_NUMBERS,
        ("landsat9", "landsat09", "l9", "lc09", "lo09", "oli2"),
        "L[CO]09",
        pan_assumed=True,
    ),
    Sensor(
        "skysat",
        "SkySat",
        _bands(_four((450, 515), (515, 595), (605, 695), (740, 900))),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        files=r"SSC?\d{1,2}(?:D\d)?[-_]\d{4}[-_](?:BASIC|ORTHO|ANALYTIC|PANCHROMATIC|VISUAL)",
        pan_assumed=True,
    ),
    Sensor(
        "kompsat-3",
        "KOMPSAT-3",
        _bands(_KOMPSAT),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        aliases=("k3", "kompsat03"),
        files=r"K3[-_]\d{14}",
        pan_assumed=True,
    ),
    Sensor(
        "kompsat-3a",
        "KOMPSAT-3A",
        _bands(_KOMPSAT),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        aliases=("k3a", "kompsat03a"),
        files=r"K3A[-_]\d{14}",
        pan_assumed=True,
    ),
    Sensor(
        "deimos-2",
        "Deimos-2",
        _bands(_four((420, 510), (510, 580), (600, 720), (760, 890))),
        PAN_GAIN,
        (450, 900),
        _BUNDLES,
        aliases=("de2", "geosat2"),
        files="DE2[-_](?:PM4|PAN|MS4)",
        pan_assumed=True,
    ),
    Sensor(
        "triplesat",
        "TripleSat",
        _bands(_four((440, 510), (510, 590), (600, 670), (760, 910))),
        PAN_GAIN,
        (450, 650),
        _BUNDLES,
        aliases=("triplesat1", "triplesat2", "triplesat3", "dmc3"),
        pan_assumed=True,
    ),
    UNKNOWN,
)

SENSORS: dict[str, Sensor] = {sensor.key: sensor for sensor in _ALL}
