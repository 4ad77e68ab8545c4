from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from geosharp.errors import InputError, ResourceError, UsageError
from geosharp.hfreqdiff import models
from geosharp.hfreqdiff.models import (
    copy_model,
    find_device,
    find_devices,
    find_model,
    open_model,
    shipped_models,
    user_folder,
    user_models,
)
from tests.hfreqdiff.made_model import make_model

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is not there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share" / "geosharp" / "models"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that models ship in, with two of them and what lies beside them."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name, seed in (("small", 1), ("base", 2)):
        make_model(folder, seed=seed).rename(folder / f"hfreqdiff-{name}.safetensors")
    (folder / "hfreqdiff-base.md").write_text("a card")
    (folder / "other.safetensors").write_bytes(b"")
    monkeypatch.setattr(models, "_FOLDERS", (tmp_path / "no wheel", folder))
    return folder


def test_models_that_ship_go_by_their_names(shipped: Path) -> None:
    assert list(shipped_models()) == ["base", "small"]
    assert find_model("small") == shipped / "hfreqdiff-small.safetensors"
    base, small = (open_model(name, CPU) for name in ("base", "small"))
    assert base.digest != small.digest


def test_a_wheels_own_models_come_first(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_FOLDERS", (tmp_path, shipped))
    assert shipped_models() == {}


def test_any_other_file_goes_by_its_path(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_model(tmp_path)
    assert find_model(file) == find_model(str(file)) == file
    # What looks like a name is one first; a path is a path.
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "base")
    assert find_model("base") == shipped / "hfreqdiff-base.safetensors"
    assert find_model(Path("base")) == Path("base")


def test_models_in_the_users_folder_go_by_their_files_names(shipped: Path, own: Path, tmp_path: Path) -> None:
    assert user_models() == {}
    own.mkdir(parents=True)
    mine = make_model(tmp_path).rename(own / "mine.safetensors")
    (own / "notes.md").write_text("not a model")
    assert user_models() == {"mine": mine}
    assert find_model("mine") == mine
    # Shipped names win.
    mine.rename(own / "base.safetensors")
    assert find_model("base") == shipped / "hfreqdiff-base.safetensors"
    with pytest.raises(UsageError, match=r"^NAME: 'mine': no such model.*\(base, small\)"):
        find_model("mine", "NAME")


def test_the_users_folder_is_where_the_system_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_folder() == tmp_path / "share" / "geosharp" / "models"
    monkeypatch.setenv("HOME", str(tmp_path))
    for told in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", told)
        assert user_folder() == tmp_path / ".local" / "share" / "geosharp" / "models"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("huge", "'huge': no such model and no such file"),
        ("models", "'models': is a folder"),
        ("", "'.': is a folder"),
        ("x" * 5000, "cannot be looked at"),
    ],
)
def test_what_is_no_model_is_refused_with_the_names_there_are(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: str
) -> None:
    monkeypatch.chdir(shipped.parent)
    with pytest.raises(UsageError, match=found) as caught:
        find_model(name)
    assert caught.value.subject == "--model"
    assert caught.value.needed == "a model by its name (base, small) or a .safetensors file"


def test_where_nothing_ships_a_file_still_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_FOLDERS", (tmp_path / "no",))
    assert find_model(make_model(tmp_path)).is_file()
    with pytest.raises(UsageError, match="there is none"):
        find_model("base")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = make_model(tmp_path)
    whole = file.read_bytes()
    for content in (b"", whole[:-100], whole[100:]):
        file.write_bytes(content)
        with pytest.raises(InputError, match="damaged") as caught:
            open_model(file, CPU)
        assert caught.value.subject == str(file)


def test_a_model_is_read_once_while_its_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_model(tmp_path)
    first = open_model(file, CPU)
    monkeypatch.chdir(tmp_path)
    assert open_model(str(file), CPU) is first
    assert open_model(file.name, CPU) is first


@pytest.mark.parametrize("dated", ["now", "as before"])
def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path, dated: str) -> None:
    file, other = (make_model(tmp_path, seed=seed) for seed in (0, 1))
    first, stat = open_model(file, CPU), file.stat()
    assert other.stat().st_size == stat.st_size
    if dated == "as before":
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    expected = open_model(other, CPU).digest
    other.replace(file)
    assert open_model(file, CPU).digest == expected != first.digest


def test_one_name_in_two_folders_is_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        make_model(folder, seed=seed).rename(folder / "mine.safetensors")
        monkeypatch.chdir(folder)
        digests.append(open_model("mine.safetensors", CPU).digest)
    assert digests[0] != digests[1]


def test_without_a_gpu_cuda_is_refused_by_name_and_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == CPU
    with pytest.raises(UsageError, match=r"^--device: 'gpu'; needed: auto, cpu, cuda"):
        find_device("gpu")
    for built_for, found in ((None, "built without CUDA"), ("12.8", "no GPU that PyTorch can use")):
        monkeypatch.setattr(torch.version, "cuda", built_for)
        with pytest.raises(ResourceError, match=f"^--device cuda: .*{found}") as caught:
            find_device("cuda")
        assert caught.value.remedy == "take --device cpu"


def test_a_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [find_device(name).type for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_gpus_go_by_their_numbers_and_those_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(device) for device in find_devices("cuda:1,0")] == ["cuda:1", "cuda:0"]
    assert str(find_device("cuda:1")) == "cuda:1"
    with pytest.raises(ResourceError, match=r"^--device cuda:0,2: 2 GPUs; needed: numbers from 0 to 1"):
        find_devices("cuda:0,2")
    with pytest.raises(UsageError, match=r"^--device cuda:0,1: 2 GPUs; needed: one device.*torchrun"):
        find_device("cuda:0,1")


def test_a_copy_of_a_model_has_weights_of_its_own() -> None:
    model = open_model("base", CPU)
    copied = copy_model(model, CPU)
    assert copied.digest == model.digest
    for mine, theirs in zip(copied.network.parameters(), model.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()


def test_a_gpu_without_room_for_the_model_is_told_by_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")

    monkeypatch.setattr("geosharp.hfreqdiff.checkpoint.load", fail)
    with pytest.raises(ResourceError, match=r"^the GPU's memory: none left for the model") as caught:
        open_model(make_model(tmp_path), CPU)
    assert caught.value.remedy.endswith("or take --device cpu")
