"""What a user should know while work goes on."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str], None]


class Notes:
    """Told at once, and kept for the result."""

    def __init__(self, tell: Tell | None) -> None:
        self.told: list[str] = []
        self._tell = tell

    def add(self, *texts: str) -> None:
        for text in texts:
            self.told.append(text)
            if self._tell is not None:
                self._tell(text)
