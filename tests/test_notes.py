"""What a user should know is told at once, and kept."""

from __future__ import annotations

from geosharp.notes import Notes


def test_notes_are_told_at_once_and_kept_whether_anyone_listens() -> None:
    heard: list[str] = []
    for notes in (Notes(heard.append), Notes(None)):
        notes.add("one")
        notes.add("two", "three")
        assert notes.told == ["one", "two", "three"]
    assert heard == ["one", "two", "three"]
