"""What is kept comes back to the bit, to the same run alone."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from geosharp.errors import InputError, OutputError
from geosharp.tuning import store as module
from geosharp.tuning.store import Store, Stored

IDENTITY = {"scene 1": "abc", "setting seed": "0"}


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    store = Store.beside(tmp_path / "m.safetensors", IDENTITY)
    assert store.read() is None
    store.keep({"a": torch.arange(3.0) / 7, "b": torch.tensor(2.0, dtype=torch.float64)}, {"step": 1})
    store.keep({"a": torch.arange(3.0) / 9, "b": torch.tensor(2.0, dtype=torch.float64)}, {"step": 2})
    found = store.read()
    assert found is not None
    assert found.facts == {"step": 2}
    assert torch.equal(found.tensors["a"], torch.arange(3.0) / 9)
    assert [path.name for path in tmp_path.iterdir()] == [".m.safetensors.state"]
    store.discard()
    assert not list(tmp_path.iterdir())


def test_a_run_with_other_scenes_or_settings_is_refused_by_what_differs(tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    Store.beside(out, IDENTITY).keep({}, {})
    other = {"scene 1": "abc", "setting seed": "1", "scene 2": "d"}
    for look in (Store.check, Store.read):
        with pytest.raises(OutputError) as caught:
            look(Store.beside(out, other))
        assert "other scene 2, setting seed" in caught.value.found
        assert str(Store.beside(out, other).path) in caught.value.remedy


def test_who_leaves_it_to_another_to_look_gets_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    Store.beside(out, IDENTITY).keep({}, {"step": 1})
    found = Store.beside(out, None).read()
    assert found is not None
    assert found.facts == {"step": 1}


def test_no_tensor_is_loaded_to_see_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.beside(tmp_path / "m.safetensors", IDENTITY)
    store.keep({"a": torch.zeros(3)}, {"step": 1})
    made: list[Stored] = []
    monkeypatch.setattr(
        module, "Stored", lambda tensors, facts: made.append(Stored(tensors, facts)) or made[-1]
    )
    store.check()
    assert made[-1].tensors == {}
    store.read()
    assert list(made[-1].tensors) == ["a"]


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_state_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    store = Store.beside(tmp_path / "m.safetensors", IDENTITY)
    store.path.write_bytes(content)
    for look in (store.check, store.read):
        with pytest.raises(InputError, match="cannot be read"):
            look()


def test_a_full_disk_leaves_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.beside(tmp_path / "m.safetensors", IDENTITY)
    store.keep({}, {"step": 1})

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        store.keep({}, {"step": 2})
    monkeypatch.undo()
    found = store.read()
    assert found is not None
    assert found.facts == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1
