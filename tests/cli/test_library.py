"""The commands sensors and models, and sensor files on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from geosharp.cli import app
from geosharp.hfreqdiff import checkpoint, models
from geosharp.raster.sensor_file import describe_sensor, format_sensor
from geosharp.raster.sensors import SENSORS
from geosharp.terminal.library import format_model, format_sensors
from tests.hfreqdiff.made_model import make_model, make_network
from tests.raster.made_sensor import write_sensor
from tests.test_architecture import loaded_after


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder; one model ships, base."""
    shipped, folder = tmp_path / "shipped", tmp_path / "share" / "geosharp" / "models"
    for each in (shipped, folder):
        each.mkdir(parents=True)
    make_model(tmp_path).rename(shipped / "hfreqdiff-base.safetensors")
    monkeypatch.setattr(models, "_FOLDERS", (shipped,))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return folder


def test_all_sensors_are_listed_with_all_their_bands() -> None:
    shown, told = run("sensors"), json.loads(run("sensors", "--json").stdout)["sensors"]
    assert [sensor["name"] for sensor in told] == [*SENSORS]
    assert told == [describe_sensor(sensor) for sensor in SENSORS.values()]
    words = [line.split()[0] for line in shown.stdout.splitlines() if not line.startswith(" ")]
    assert words == ["name", *SENSORS]
    for sensor in SENSORS.values():
        assert f"{sensor.title}: PAN {sensor.pan_nm[0]:g}-{sensor.pan_nm[1]:g} ({sensor.pan_gain:g})" in (
            shown.stdout
        )
    assert "nir2 860-1040 (0.27)" in shown.stdout


def test_what_is_not_known_of_a_sensor_is_not_shown(tmp_path: Path) -> None:
    file = write_sensor(tmp_path, "haze", head="bits = 12")
    told = json.loads(run("sensors", file, "--json").stdout)
    assert (told["bits"], told["bands"][0]["wavelength_nm"]) == (12, None)
    assert format_sensors([told]).splitlines()[1:] == [
        "newsat  newsat, 12 bits: PAN 400-1000 (0.15)",
        "        haze (0.3)",
    ]


def test_a_sensor_is_shown_as_the_file_it_would_be(tmp_path: Path) -> None:
    shown = run("sensors", "WV2")
    assert shown.stdout == format_sensor(SENSORS["worldview-2"])
    file = tmp_path / "mine.toml"
    file.write_text(shown.stdout)
    assert run("sensors", file).stdout == shown.stdout
    refused = run("sensors", "wordview2")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("geosharp: NAME: no sensor 'wordview2'; needed: one of quickbird, ")


@pytest.mark.parametrize("flag", ["--sensor", "--sensor-file"])
def test_every_command_that_opens_a_scene_takes_a_sensor_file(
    made_pair: tuple[Path, Path], tmp_path: Path, flag: str
) -> None:
    file = write_sensor(tmp_path, "blue", "green", "red", "nir", head='title = "NewSat 1"')
    out = tmp_path / "out.tif"
    told = json.loads(run("info", *made_pair, "-m", "exp", flag, file, "--json").stdout)
    assert told["sensor"] == {"name": "NewSat 1", "told_by": "sensor file newsat.toml"}
    assert run("fuse", *made_pair, "-o", out, "-m", "exp", flag, file, "-q").exit_code == 0
    chosen = "-m", "exp", "--protocol", "full", "--calibration", "sensor", "--json", "-q"
    assert json.loads(run("evaluate", *made_pair, *chosen, flag, file).stdout)["sensor"] == "NewSat 1"


@pytest.mark.parametrize("command", ["info", "fuse", "evaluate", "calibrate", "report"])
def test_a_sensor_file_that_does_not_fit_is_one_line(
    made_pair: tuple[Path, Path], tmp_path: Path, command: str
) -> None:
    out = tmp_path / {"calibrate": "c.json", "report": "r.html"}.get(command, "out.tif")
    fused = [tmp_path / "fused.tif"] if command == "report" else []
    for each in fused:
        assert run("fuse", *made_pair, "-o", each, "-m", "exp", "-q").exit_code == 0
    to = [] if command in ("info", "evaluate") else ["-o", out]
    file = write_sensor(tmp_path, "blue", "green", "red")
    result = run(command, *fused, *made_pair, *to, "--sensor-file", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("geosharp: newsat.toml: MS has 4 bands, without names;")
    file.write_text('name = "a"\n[[bands]]\nname = "b"\nnyquist_gian = 0.3\n')
    result = run(command, *fused, *made_pair, *to, "--sensor-file", file)
    assert result.exit_code == 1
    assert f"geosharp: {file}: an unknown key 'nyquist_gian' of band 1; " in result.stderr
    assert not out.exists()


def test_sensors_are_told_without_torch_or_rasterio() -> None:
    for arguments in (["sensors"], ["sensors", "ikonos", "--json"], ["models", "--help"]):
        code = f"sys.argv = {['geosharp', *arguments]}; from geosharp.cli import main; main()"
        assert not loaded_after(code) & {"torch", "rasterio"}


def test_models_are_listed_by_what_model_takes(own: Path, tmp_path: Path) -> None:
    make_model(tmp_path, sigma_data=None).rename(own / "mine.safetensors")
    shown, told = run("models"), json.loads(run("models", "--json").stdout)["models"]
    assert [(model["name"], model["place"]) for model in told] == [
        ("base", "shipped"),
        ("mine", "user folder"),
    ]
    base, mine = shown.stdout.splitlines()
    assert base.startswith(f"base: shipped, {told[0]['parameters']:,} parameters, ")
    assert "mean and draws" in base
    assert "mean alone" in mine
    assert shown.stderr == f"note: models in {own} go by their names\n"


def test_a_model_is_shown_with_all_that_it_tells(own: Path) -> None:
    facts = {
        "licences": ["CC0", "CC BY"],
        "scenes": [{"pan": "a.tif", "ratio": [4.0, 4.0]}],
        "evil": "\x1b[31mred",
        "none": {},
    }
    path = own / "mine.safetensors"
    checkpoint.save(path, make_network(), 0.25, facts, (2, 4))
    lines = run("models", "mine", "-v").stdout.splitlines()
    assert lines[0] == "model        mine (user folder)"
    assert "draws        --steps 2 or more; standard deviation about the mean 0.25 of a band's" in lines
    assert "ratios       2 to 4 PAN pixels an MS pixel" in lines
    assert lines[lines.index("it tells") + 1 :] == [
        "  licences: CC0; CC BY",
        "  scenes",
        "    1",
        "      pan: a.tif",
        "      ratio: 4; 4",
        "  evil: \N{REPLACEMENT CHARACTER}[31mred",
        "  none: {}",
    ]
    told = json.loads(run("models", "mine", "--json").stdout)
    assert (told["facts"], told["sigma_data"], told["ratios"]) == (facts, 0.25, [2.0, 4.0])
    assert format_model(told, whole=True).splitlines() == lines
    short = run("models", "mine").stdout.splitlines()
    assert short == [*lines[: lines.index("it tells")], "-v or --json shows all that it tells"]


def test_a_tuned_model_is_shown_by_its_worth_first(own: Path) -> None:
    scores = {"reduced": {"psnr": 28.802298, "sam": 5.635192, "scc": 0.9}, "full": {"hqnr": 0.9636987}}
    facts = {
        "scenes": [{"pan": f"{name}.tif", "sensor": "NewSat-1", "bands": ["blue", "red"]} for name in "ab"],
        "settings": {"base": "base"},
        "steps_made": 32,
        "step_of_weights": 24,
        "seconds": 198.04,
        "scores": {"base": scores, "odd": ["no table"]},
        "verdict": "better than the base: use it",
    }
    checkpoint.save(own / "mine.safetensors", make_network(), None, facts)
    lines = run("models", "mine").stdout.splitlines()
    assert lines[1:9] == [
        "verdict      better than the base: use it",
        "  base       PSNR 28.80, SAM 5.635, HQNR 0.964",
        "  odd",
        "sensor       NewSat-1",
        "bands        blue, red",
        "scenes       a.tif, b.tif",
        "base         base",
        "learning     32 steps in 198 s, judging left out; weights of step 24",
    ]


@pytest.mark.parametrize(
    "part", [{"scenes": 5}, {"scenes": [3]}, {"scores": [1]}, {"settings": "base"}], ids=str
)
def test_facts_of_another_form_are_no_error(own: Path, part: dict[str, object]) -> None:
    checkpoint.save(own / "mine.safetensors", make_network(), None, part)
    assert run("models", "mine").exit_code == 0


def test_info_of_a_models_file_is_what_models_shows(own: Path, tmp_path: Path) -> None:
    path = make_model(tmp_path)
    for options in ([], ["-v"], ["--json"]):
        shown = run("info", path, *options)
        assert shown.exit_code == 0
        assert shown.stdout == run("models", path, *options).stdout
        assert path.name in shown.stdout
    for missing, code, found in (
        (tmp_path / "no.safetensors", 2, "PAN: "),
        ("pan.tif", 1, "pan.tif: no such"),
    ):
        refused = run("info", missing)
        assert (refused.exit_code, refused.stdout) == (code, "")
        assert refused.stderr.startswith(f"geosharp: {found}")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_verifying_names_what_cannot_be_used(own: Path, tmp_path: Path, options: list[str]) -> None:
    assert run("models", "--verify", *options).exit_code == 0
    path = make_model(tmp_path).rename(own / "mine.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    assert run("models", *options).exit_code == 0
    result = run("models", "--verify", *options)
    assert result.exit_code == 1
    assert f"{path}: no safetensors file, or a damaged one" in result.stdout
    one = run("models", "mine", "--verify", *options)
    assert (one.exit_code, one.stdout) == (1, "")
    assert one.stderr.startswith(f"geosharp: {path}: no safetensors file, or a damaged one")


def test_what_verifying_found_is_told(own: Path, tmp_path: Path) -> None:
    path = make_model(tmp_path).rename(own / "mine.safetensors")
    assert " MB; whole\n" in run("models", "mine", "--verify").stdout
    digest = json.loads(run("models", "mine", "--json").stdout)["sha256"]
    path.with_suffix(".md").write_text(f"SHA-256 `{digest}`")
    assert run("models", "--verify").stdout.splitlines()[1].endswith("; whole, and as mine.md says")
    assert json.loads(run("models", "mine", "--verify", "--json").stdout)["card"] == "mine.md"
