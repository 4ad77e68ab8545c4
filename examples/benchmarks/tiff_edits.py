"""Edits of a good TIFF's bytes that break it or make it hostile; chance decides which."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

# Of a TIFF's tags, what each value takes, by the type's number.
WIDTHS = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
LAYOUT_TAGS = (258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 338, 339)
PLACE_TAGS = (273, 279, 324, 325)
ABSURD = (0, 1, 2, 3, 7, 255, 65535, 10**5, 10**6, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True)
class Entry:
    """A tag of a directory. at: byte of its record; place: byte of its values; big: in a BigTIFF."""

    order: str
    big: bool
    tag: int
    kind: int
    count: int
    at: int
    place: int

    @property
    def size(self) -> int:
        return self.count * WIDTHS.get(self.kind, 1)

    def set_count(self, content: bytearray, count: int) -> None:
        code = "Q" if self.big else "I"
        struct.pack_into(self.order + code, content, self.at + 4, count % (1 << 8 * struct.calcsize(code)))

    def set_value(self, content: bytearray, number: int, value: int) -> None:
        """One of its whole numbers."""
        width = WIDTHS.get(self.kind, 1)
        raw = (value % (1 << 8 * width)).to_bytes(width, "little" if self.order == "<" else "big")
        content[self.place + number * width : self.place + (number + 1) * width] = raw


def read_entries(content: bytes) -> tuple[list[Entry], list[int]]:
    """The tags of all directories of a good TIFF, and where each directory tells of the next."""
    order = "<" if content[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    word, count_code, step = ("Q", "Q", 20) if big else ("I", "H", 12)
    link = 8 if big else 4
    entries, links = [], [link]
    while at := struct.unpack_from(order + word, content, links[-1])[0]:
        (count,) = struct.unpack_from(order + count_code, content, at)
        start = at + struct.calcsize(count_code)
        for record in range(start, start + count * step, step):
            tag, kind, values = struct.unpack_from(order + "HH" + word, content, record)
            value = record + 4 + struct.calcsize(word)
            fits = values * WIDTHS[kind] <= struct.calcsize(word)
            place = value if fits else struct.unpack_from(order + word, content, value)[0]
            entries.append(Entry(order, big, tag, kind, values, record, place))
        links.append(start + count * step)
    return entries, links


def truncate(chance: random.Random, content: bytearray) -> None:
    del content[chance.choice((0, 4, 8, chance.randrange(len(content)), len(content) - 1)) :]


def flip_pixels(chance: random.Random, content: bytearray) -> None:
    for _ in range(chance.choice((1, 8, 200))):
        content[chance.randrange(16, len(content))] = chance.randrange(256)


def flip_tags(chance: random.Random, content: bytearray) -> None:
    entries, links = read_entries(content)
    places = [*range(16), *(byte for link in links for byte in range(link, link + 4))]
    places += [entry.at + byte for entry in entries for byte in range(20 if entry.big else 12)]
    for _ in range(chance.choice((1, 2, 8))):
        content[chance.choice(places)] = chance.randrange(256)


def resize(chance: random.Random, content: bytearray) -> None:
    """Absurd widths and heights."""
    entries, _ = read_entries(content)
    for tag in chance.choice(((256,), (257,), (256, 257))):
        for entry in entries:
            if entry.tag == tag:
                entry.set_value(content, 0, chance.choice(ABSURD))


def relayout(chance: random.Random, content: bytearray) -> None:
    """Absurd numbers of samples, bits, rows in a strip, compressions, predictors ..."""
    entries = [entry for entry in read_entries(content)[0] if entry.tag in LAYOUT_TAGS]
    for entry in chance.sample(entries, min(chance.choice((1, 2)), len(entries))):
        known = chance.randrange(12), 16, 64, 34712, 34887, 50000, 50001
        for number in range(entry.count):
            entry.set_value(content, number, chance.choice((*ABSURD, *known)))


def misplace(chance: random.Random, content: bytearray) -> None:
    """Blocks that lie elsewhere or are of absurd length."""
    entries = [entry for entry in read_entries(content)[0] if entry.tag in PLACE_TAGS]
    entry = chance.choice(entries)
    for number in chance.sample(range(entry.count), chance.choice((1, entry.count))):
        entry.set_value(
            content, number, chance.choice((*ABSURD, len(content) - 1, chance.randrange(len(content))))
        )


def recount(chance: random.Random, content: bytearray) -> None:
    """Tags that announce absurdly many values, or of another type."""
    entry = chance.choice(read_entries(content)[0])
    if chance.random() < 0.5:
        entry.set_count(content, chance.choice((*ABSURD, 2**40, 2**63)))
    else:
        struct.pack_into(entry.order + "H", content, entry.at + 2, chance.randrange(20))


def loop(chance: random.Random, content: bytearray) -> None:
    """A directory that is followed by itself, by the one before or by anything."""
    entries, links = read_entries(content)
    order, big = entries[0].order, entries[0].big
    word = order + ("Q" if big else "I")
    (first,) = struct.unpack_from(word, content, links[0])
    struct.pack_into(
        word, content, chance.choice(links), chance.choice((first, first, chance.randrange(len(content))))
    )


def unplace(chance: random.Random, content: bytearray) -> None:
    """Geotransforms and geokeys that are no numbers, none, or beyond all measure."""
    entries = [
        entry for entry in read_entries(content)[0] if entry.tag in (33550, 33922, 34264, 34735, 34736)
    ]
    for entry in entries or read_entries(content)[0][:1]:
        if chance.random() < 0.6:
            number = chance.randrange(max(entry.size // 8, 1))
            bad = chance.choice(
                (float("nan"), float("inf"), 0.0, -1.0, 1e308, 1e-308, 5e-324, 1e18, 4.0000001)
            )
            struct.pack_into(entry.order + "d", content, entry.place + 8 * number, bad)


def garble_texts(chance: random.Random, content: bytearray) -> None:
    """Texts of another length's worth of anything."""
    texts = [e for e in read_entries(content)[0] if e.kind == 2 or e.tag in (42112, 42113, 34737)]
    bad = (b"\xff\xfe", b"\0", b"%s%n", b"\x1b[2J", b"<", b"]]>", b"nan\0", b"1e999\0", b"-1e30\0", b"\n\r")
    for entry in texts:
        for _ in range(chance.choice((1, 4))):
            piece = chance.choice(bad)[: entry.size]
            at = entry.place + chance.randrange(max(entry.size - len(piece), 0) + 1)
            content[at : at + len(piece)] = piece


def append_text(chance: random.Random, content: bytearray) -> None:
    """A tag's text replaced by a longer hostile one at the file's end."""
    entries = read_entries(content)[0]
    texts = [e for e in entries if e.tag in (42112, 42113, 34737, 305, 270, 700)] or entries[-2:]
    entry, text = chance.choice(texts), chance.choice(hostile_texts()) + b"\0"
    word = entry.order + ("Q" if entry.big else "I")
    place = len(content)
    content += text
    struct.pack_into(entry.order + "HH", content, entry.at, chance.choice((entry.tag, 42112)), 2)
    entry.set_count(content, len(text))
    struct.pack_into(word, content, entry.at + 4 + struct.calcsize(word), place)


def hostile_texts() -> list[bytes]:
    """Documents of GDAL's metadata that expand, nest, read files or hold no numbers; and bare texts."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)).encode()
    escapes = b'<Item name="\x1b[2J\x07" sample="0" role="description">\x1b]0;x\x07\xff</Item>'
    scale = b'<Item name="SCALE" sample="0" role="scale">nan</Item>'
    return [
        b'<!DOCTYPE x [<!ENTITY l0 "ha">' + laughs + b"]>" + _metadata(b'<Item name="a">&l9;</Item>'),
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "/etc/passwd">]>' + _metadata(b'<Item name="a">&f;</Item>'),
        b"<GDALMetadata>" + b"<a>" * 100_000,
        _metadata(b'<Item name="SENSOR">' + b"WorldView" * 200_000 + b"</Item>"),
        _metadata(b'<Item name="a" sample="0" role="description">x</Item>' * 20_000),
        _metadata(scale + b'<Item name="OFFSET" sample="0" role="offset">1e999</Item>'),
        _metadata(b'<Item name="NBITS" sample="0" domain="IMAGE_STRUCTURE">99999999999</Item>'),
        _metadata(b'<Item name="GEOSHARP_VERSION">1</Item><Item name="NBITS" sample="0">4294967295</Item>'),
        _metadata(escapes),
        b"nan",
        b"1e400",
        b"-" * 100_000,
        b"9" * 5000,
    ]


def _metadata(items: bytes) -> bytes:
    return b"<GDALMetadata>" + items + b"</GDALMetadata>"


EDITS: dict[str, Callable[[random.Random, bytearray], None]] = {
    "truncated": truncate,
    "bytes of pixels flipped": flip_pixels,
    "bytes of header and tags flipped": flip_tags,
    "absurd size": resize,
    "absurd layout": relayout,
    "absurd places of blocks": misplace,
    "absurd counts and types of tags": recount,
    "loops of directories": loop,
    "geotransform nan, inf, 0": unplace,
    "texts garbled": garble_texts,
    "hostile texts": append_text,
}
