"""A headless Chromium for tests: a small WebDriver client over HTTP, without a package for it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--force-device-scale-factor=1", "--hide-scrollbars"),
    # Whatever it asks for by name, it finds nothing: a page that needs the network fails.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
_START_S, _ANSWER_S = 30.0, 60.0
# WebDriver's code points for keys that print nothing.
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "ArrowLeft": "\ue012", "ArrowRight": "\ue014",
        "Home": "\ue011", "End": "\ue010"}  # fmt: skip


def missing() -> str:
    """Why no browser can be driven here; empty where one can."""
    if not any(map(shutil.which, CHROMIUM)):
        return f"no browser: none of {', '.join(CHROMIUM)} is installed"
    return "" if shutil.which(DRIVER) else f"no browser: {DRIVER} is not installed"


class Browser:
    """One window. Places are CSS pixels of the window, from its upper left corner."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        binary = next(filter(None, map(shutil.which, CHROMIUM)))
        options = {"binary": binary, "args": [*_FLAGS, f"--user-data-dir={profile}"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        started = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{started['sessionId']}"

    def open(self, path: Path) -> None:
        """Load a file, once those errors are forgotten that an earlier page left."""
        self.errors()
        self._post("/url", {"url": path.resolve().as_uri()})

    def resize(self, width: int, height: int) -> None:
        """Of the page's area, not of the window around it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """What the system prefers: light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", {"features": [feature]})

    def run(self, script: str, *arguments: object) -> Any:
        """What `script` returns; `arguments` are its arguments[0] and so on."""
        return self._post("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str, seconds: float = 10.0) -> None:
        """Until the JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition} is still false after {seconds} s")
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys together, in order, and let go: printable characters or names of KEYS."""
        values = [KEYS.get(key, key) for key in keys]
        downs = [{"type": "keyDown", "value": value} for value in values]
        ups = [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._act({"type": "key", "id": "keys", "actions": downs + ups})

    def click(self, x: float, y: float, times: int = 1) -> None:
        self.drag((x, y), times=times)

    def drag(self, *places: tuple[float, float], times: int = 1) -> None:
        """Press the mouse at the first place, move through the others, let go at the last."""
        moves: list[dict[str, object]] = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0} for x, y in places
        ]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        actions = [moves[0], *[down, *moves[1:], up] * times]
        self._act(
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        )

    def wheel(self, x: float, y: float, down: int) -> None:
        scroll = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": down, "duration": 0}
        self._act({"type": "wheel", "id": "wheel", "actions": [scroll]})

    def errors(self) -> list[str]:
        """Warnings and errors that the console has shown since the last call."""
        entries = self._post("/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def picture(self) -> bytes:
        """A PNG of the page's area."""
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def command(self, name: str, parameters: dict[str, object]) -> Any:
        """A command of Chromium's own protocol."""
        return self._post("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def quit(self) -> None:
        self._ask("DELETE", self._session)

    def _act(self, *sources: dict[str, object]) -> None:
        self._post("/actions", {"actions": list(sources)})

    def _post(self, path: str, body: dict[str, object]) -> Any:
        return self._ask("POST", self._session + path, body)

    def _ask(self, verb: str, path: str, body: dict[str, object] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(verb, path, text, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value


@contextlib.contextmanager
def start_browser(folder: Path) -> Iterator[Browser]:
    """A browser whose profile and driver's log lie in `folder`; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "driver.log").open("wb") as log:
        driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=log, stderr=subprocess.STDOUT)
        try:
            _await_port(port, driver)
            browser = Browser(port, folder / "profile")
            try:
                yield browser
            finally:
                browser.quit()
        finally:
            driver.terminate()
            driver.wait(timeout=_START_S)


def _await_port(port: int, driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and driver.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{DRIVER} does not answer: exit status {driver.poll()}")
