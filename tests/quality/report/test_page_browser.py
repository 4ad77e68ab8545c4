"""In a browser the page does what it says: it compares, zooms, tells values, and stays within itself.

GEOSHARP_ARTEFACTS names a folder to keep the screenshots in.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from geosharp.quality.report.content import Fact, Layer, ReportData, View
from geosharp.quality.report.page import render
from geosharp.raster.grid import Rect
from tests.browser import Browser, missing, start_browser
from tests.quality.report.made import CELL, make_ramp, make_report, make_view

SIZE = (1280, 720)
RED, GREEN, BLUE = 0, 1, 2
NONE, MINUS = "\u2013", "\u2212"
READY = "document.getElementById('stage').dataset.ready === 'true'"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with start_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(make_report()), encoding="utf-8")
    return path


@pytest.fixture
def page(window: Browser, report: Path) -> Iterator[Browser]:
    """The report, freshly opened; what the console complains about fails the test."""
    show(window, report)
    yield window
    assert window.errors() == []


def show(browser: Browser, path: Path, size: tuple[int, int] = SIZE, scheme: str = "light") -> None:
    browser.resize(*size)
    browser.prefer(scheme)
    browser.open(path)
    browser.wait(READY)


def text(page: Browser, selector: str) -> str:
    return str(page.run("return document.querySelector(arguments[0]).innerText", selector))


def locate(page: Browser, selector: str) -> list[float]:
    """Left, top, width and height in the window, once the element is scrolled to."""
    box: list[float] = page.run(
        """const found = document.querySelector(arguments[0]);
        found.scrollIntoView({block: "nearest", behavior: "instant"});
        const box = found.getBoundingClientRect();
        return [box.left, box.top, box.width, box.height]""",
        selector,
    )
    return box


def place(page: Browser, row: float, col: float, shape: tuple[int, int] = (256, 320)) -> tuple[float, float]:
    """Where a PAN pixel of a view that is shown whole lies in the window."""
    left, top, width, height = locate(page, "#stage")
    zoom = min(height / shape[0], width / shape[1])
    return left + width / 2 + zoom * (col - shape[1] / 2), top + height / 2 + zoom * (row - shape[0] / 2)


def press_button(page: Browser, selector: str) -> None:
    left, top, width, height = locate(page, selector)
    page.click(left + width / 2, top + height / 2)
    page.wait(READY)


def focus(page: Browser, selector: str) -> None:
    page.run("document.querySelector(arguments[0]).focus()", selector)


def look(page: Browser) -> np.ndarray:
    """The screen, (3, row, col)."""
    page.wait(READY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(page.picture()) as memory, memory.open() as raster:
            return raster.read((1, 2, 3)).astype(int)


def tints(page: Browser) -> tuple[int, int]:
    """Which of red, green and blue prevails left and right in the whole scene, around two PAN pixels."""
    screen = look(page)
    left, right = (
        int(np.argmax(screen[:, round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].mean((1, 2))))
        for x, y in (place(page, 200, col) for col in (40, 280))
    )
    return left, right


def split(page: Browser) -> int:
    return int(page.run("return document.getElementById('divider').getAttribute('aria-valuenow')"))


def zoom_percent(page: Browser) -> float:
    return float(text(page, "#readout").split(" %")[0].split(" · ")[-1])


def table(page: Browser) -> list[list[str]]:
    """The spectrum's rows, without their head."""
    rows: list[list[str]] = page.run(
        "return [...document.querySelectorAll('#spectrum tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return rows


def expected_table(row: int, col: int) -> list[list[str]]:
    """Of a cell of the made spectra, numbered within its view."""
    values = [
        (name, 100 * (n + 1) + 10 * row + col) for n, name in enumerate(("blue", "green", "red", "nir"))
    ]
    return [
        [name, f"{value:.1f}", f"{value + 5:.1f}", "+5.0", f"+{500 / value:.1f} %"] for name, value in values
    ]


@pytest.mark.parametrize(("size", "scheme"), [((1280, 720), "light"), ((1920, 1080), "dark")])
def test_it_opens_without_error_fits_the_window_and_is_kept_as_a_picture(
    window: Browser, report: Path, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    show(window, report, size, scheme)
    window.click(*place(window, 100, 200))
    picture = window.picture()
    kept = Path(os.environ.get("GEOSHARP_ARTEFACTS") or tmp_path) / f"report_{size[0]}_{scheme}.png"
    kept.write_bytes(picture)
    assert look(window).shape == (3, size[1], size[0])
    _, top, _, height = locate(window, "#stage")
    assert top + height < size[1]
    assert window.run("return document.documentElement.scrollWidth") == size[0]
    assert text(window, "h1") == "A scene made by code"
    fetched = window.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []
    assert window.errors() == []


def test_a_foreign_script_does_not_run_and_the_console_says_so(page: Browser) -> None:
    page.run(
        "const script = document.createElement('script');"
        "script.textContent = 'window.foreign = 1'; document.body.append(script)"
    )
    assert page.run("return window.foreign === undefined")
    assert any("Content Security Policy" in message for message in page.errors())


def test_dragging_the_divider_changes_the_picture(page: Browser) -> None:
    assert tints(page) == (RED, BLUE)
    before = look(page)
    left, top, width, height = locate(page, "#divider")
    start = left + width / 2, top + height / 2
    page.drag(start, (start[0] - 100, start[1] + 9), place(page, 128, 10))
    assert tints(page) == (BLUE, BLUE)
    page.drag(place(page, 128, 10), place(page, 128, 310))
    assert tints(page) == (RED, RED)
    assert (look(page) != before).any(0).mean() > 0.1
    assert table(page) == []  # dragging is no click


@pytest.mark.parametrize("where", ["#stage", "#divider"])
def test_arrows_move_the_divider(page: Browser, where: str) -> None:
    focus(page, where)
    assert split(page) == 50
    for key, after in (("ArrowRight", 52), ("ArrowRight", 54), ("ArrowLeft", 52)):
        page.press(key)
        assert split(page) == after
    assert "Result" in page.run("return document.getElementById('divider').getAttribute('aria-valuetext')")


def test_the_ends_of_the_divider_show_one_layer(page: Browser) -> None:
    focus(page, "#divider")
    page.press("End")
    assert tints(page) == (RED, RED)
    page.press("Home")
    assert tints(page) == (BLUE, BLUE)


def test_blinking_shows_one_whole_layer_after_the_other(page: Browser) -> None:
    shown = []
    for _ in range(3):
        page.press("b")
        shown.append(tints(page))
    assert shown == [(RED, RED), (BLUE, BLUE), (RED, RED)]
    page.press("c")
    assert split(page) == 50


def test_any_layer_can_stand_on_either_side(page: Browser) -> None:
    for side, title in (("left", "Result"), ("right", "PAN")):
        page.run(
            "const select = document.getElementById(arguments[0]); select.value = arguments[1];"
            "select.dispatchEvent(new Event('change'))",
            side,
            title,
        )
    assert tints(page)[0] == BLUE
    x, y = place(page, 200, 280)
    red, green, blue = look(page)[:, round(y), round(x)]
    assert max(red, green, blue) - min(red, green, blue) <= 6


def test_colours_are_switched_by_button_and_key(page: Browser) -> None:
    press_button(page, "#renderings button:nth-child(2)")
    assert tints(page) == (GREEN, GREEN)
    pressed = "return [...document.querySelectorAll('#renderings button')].map((b) => b.ariaPressed)"
    assert page.run(pressed) == ["false", "true"]
    page.press("t")
    assert tints(page) == (RED, BLUE)
    assert page.run(pressed) == ["true", "false"]


@pytest.mark.parametrize(("row", "col"), [(0, 1), (9, 17), (15, 19)])
def test_a_click_tells_the_values_of_its_cell(page: Browser, row: int, col: int) -> None:
    page.click(*place(page, (row + 0.3) * CELL, (col + 0.8) * CELL))
    assert table(page) == expected_table(row, col)
    told = list(map(int, re.findall(r"\d+", text(page, "#spectrum p"))))
    np.testing.assert_allclose(told[:2], ((row + 0.3) * CELL, (col + 0.8) * CELL), atol=1)
    assert told[2:] == [CELL, CELL]
    dots = page.run(
        "return [...document.querySelectorAll('#spectrum circle')]"
        ".map((dot) => [dot.classList[1], dot.cx.baseVal.value, dot.cy.baseVal.value])"
    )
    ms, fused = (np.array([dot[1:] for dot in dots if dot[0] == kind]) for kind in ("ms", "fused"))
    np.testing.assert_allclose(ms[:, 0], fused[:, 0])
    # Wavelengths on the x axis, values on the y axis: straight lines through known pairs.
    assert np.corrcoef(ms[:, 0], [490, 560, 660, 830])[0, 1] == pytest.approx(1)
    assert np.corrcoef(ms[:, 1], [100, 200, 300, 400])[0, 1] == pytest.approx(-1)
    assert (ms[:, 1] > fused[:, 1]).all()


def test_a_cell_without_value_says_so(page: Browser) -> None:
    page.click(*place(page, 5, 5))
    assert [row[1:] for row in table(page)] == [[f"{100 * n:.1f}", NONE, NONE, ""] for n in (1, 2, 3, 4)]
    page.click(*place(page, 100, 100))
    page.click(*place(page, CELL + 5, 5))  # beside the curve of a point with values
    assert [row[1:] for row in table(page)] == [[NONE, NONE, NONE, ""]] * 4


def test_points_are_kept_chosen_and_cleared(page: Browser) -> None:
    for row, col in ((2, 3), (4, 5)):
        page.click(*place(page, (row + 0.5) * CELL, (col + 0.5) * CELL))
    assert table(page) == expected_table(4, 5)
    press_button(page, "#points button:nth-child(1)")
    assert table(page) == expected_table(2, 3)
    press_button(page, "#points button:last-child")
    assert table(page) == []
    focus(page, "#stage")
    page.press("s")
    assert table(page) == expected_table(8, 10)


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(page: Browser) -> None:
    x, y = place(page, 64, 80)
    whole = zoom_percent(page)
    page.wheel(x, y, -240)
    page.wheel(x, y, -240)
    assert zoom_percent(page) > 2.5 * whole
    under = text(page, "#readout")
    assert "row 64, column 80" in under or "row 63, column 79" in under
    page.drag((x, y), (x + 60, y + 30))
    moved = text(page, "#readout")
    assert moved.split(" · ")[-1] == under.split(" · ")[-1]  # the pixel went with the pointer
    assert table(page) == []
    page.press("0")
    assert zoom_percent(page) == whole


def test_zooming_by_key_and_button_has_ends(page: Browser) -> None:
    whole = zoom_percent(page)
    focus(page, "#stage")
    page.press("+")
    assert zoom_percent(page) == pytest.approx(1.5 * whole, rel=0.01)
    page.press("1")
    assert zoom_percent(page) == max(100, whole)
    for _ in range(12):
        press_button(page, "#zoom-in")
    assert zoom_percent(page) == 3200
    before = look(page)
    focus(page, "#stage")
    page.press("Shift", "ArrowRight")
    assert (look(page) != before).any()
    for _ in range(14):
        page.press("-")
    assert zoom_percent(page) == whole


def test_at_its_smallest_the_picture_lets_the_page_scroll(page: Browser) -> None:
    page.wheel(*place(page, 64, 80), 300)
    page.wait("window.scrollY > 0")


def test_views_are_chosen_by_button_key_and_double_click(page: Browser) -> None:
    press_button(page, "#views button:nth-child(2)")
    assert text(page, "#readout").startswith("About Window 1 · 128")
    page.click(*place(page, 2.5 * CELL, 3.5 * CELL, (128, 128)))
    assert table(page) == expected_table(2, 3)
    assert "PAN row 104, column 152" in text(page, "#spectrum p")  # of the scene, not of the window
    page.press("[")
    assert text(page, "#readout").startswith("About Whole scene")
    page.click(*place(page, 128, 150), times=2)
    page.wait("document.getElementById('readout').textContent.startsWith('About Window 1')")


def test_the_theme_follows_the_system_until_it_is_chosen(window: Browser, report: Path) -> None:
    def brightness() -> tuple[float, float]:
        """Of the page, and of a map where there is almost no disagreement."""
        left, top, width, height = locate(window, "canvas[data-map]")
        scale = min(width / 48, height / 64)
        screen = look(window).mean(0)
        return screen[60, 5], screen[round(top + 31.5 * scale), round(left + 23.5 * scale)]

    show(window, report, scheme="light")
    light = brightness()
    show(window, report, scheme="dark")
    dark = brightness()
    assert min(light) > 200
    assert max(dark) < 60
    press_button(window, "#theme")
    assert brightness() == light
    window.press("d")
    assert brightness() == dark
    assert window.errors() == []


def test_a_map_tells_the_value_under_the_pointer(page: Browser) -> None:
    left, top, width, height = locate(page, "canvas[data-map]")
    scale = min(width / 48, height / 64)
    caption = "return document.querySelector('.map figcaption span:last-child').textContent"
    still = page.run(caption)
    page.click(left + 40.5 * scale, top + 20.5 * scale)
    told = page.run(caption)
    assert told.endswith(" DN")
    assert float(told.removesuffix(" DN").replace(MINUS, "-")) == pytest.approx(
        make_ramp()[20, 40], abs=8 / 254
    )
    page.click(left + 0.5 * scale, top + 0.5 * scale)
    assert page.run(caption) == "no value"
    page.click(5, 300)
    assert page.run(caption) == still


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Browser) -> None:
    reached = []
    for _ in range(40):
        page.press("Tab")
        name, ring = page.run(
            "const at = document.activeElement, style = getComputedStyle(at);"
            "const knob = at.id === 'divider' ? getComputedStyle(at.firstElementChild) : style;"
            "return [at === document.body ? '' : at.id || at.textContent.trim(), knob.outlineStyle]"
        )
        if not name:
            break
        reached.append(name)
        assert ring != "none", name
    needed = ("Whole scene", "False colour", "zoom-in", "blink", "stage", "divider", "left", "right", "theme")
    assert set(needed) <= set(reached)


def test_narrow_windows_and_resizing_keep_the_picture_whole(page: Browser) -> None:
    for size in ((700, 900), (1600, 900)):
        page.resize(*size)
        page.wait(f"innerWidth === {size[0]}")
        _, _, width, height = locate(page, "#stage")
        wanted = 100 * min(height / 256, width / 320)
        page.wait(f"document.getElementById('canvas').width === {round(width)}")
        assert zoom_percent(page) == pytest.approx(wanted, rel=0.01)
        assert page.run("return document.documentElement.scrollWidth") == size[0]


def test_what_a_plain_report_lacks_is_not_shown(window: Browser, tmp_path: Path) -> None:
    """One view in one rendering, no spectra, no georeferencing, transparent where nothing is."""
    picture = np.full((4, 32, 32), 255, np.uint8)
    picture[3, :, 16:] = 0
    layers = (Layer("MS", {"Grey": picture}), Layer("Result", {"Grey": picture}))
    path = tmp_path / "plain.html"
    plain = ReportData("Plain", (View("All", Rect(0, 0, 32, 32), layers),))
    path.write_text(render(plain), encoding="utf-8")
    show(window, path)
    for selector in ("#views", "#renderings", "#scale"):
        assert locate(window, selector)[2:] == [0, 0]
    window.click(*place(window, 8, 8, (32, 32)))
    assert text(window, "#hint") == "This view holds no spectra."
    screen = look(window)
    inside, outside = (place(window, 20, col, (32, 32)) for col in (8, 24))
    margin = locate(window, "#stage")[0] + 20, inside[1]
    shown = [screen[:, round(y), round(x)].tolist() for x, y in (inside, outside, margin)]
    assert shown[0] == [255, 255, 255]
    assert shown[1] == shown[2] != shown[0]
    assert window.errors() == []


def test_hostile_text_is_shown_and_never_run(window: Browser, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;"
    view = make_view("Whole scene", Rect(0, 0, 64, 64))
    layers = tuple(Layer(f"{evil}{n}", layer.pictures) for n, layer in enumerate(view.layers))
    data = make_report(
        title=evil, views=(View(evil, view.rect, layers, view.spectra, evil),), lineage=(Fact(evil, evil),)
    )
    path = tmp_path / "evil.html"
    path.write_text(render(data), encoding="utf-8")
    show(window, path)
    assert text(window, "h1") == evil
    assert text(window, "#readout").startswith(evil)
    assert window.run("return document.getElementById('left').value") == f"{evil}0"
    assert window.run("return document.images.length") == 0
    assert window.errors() == []
