from __future__ import annotations

import json
import math

from geosharp.quality.scores import METRICS
from geosharp.tuning.account import tell_origin, tell_outcome, tell_scene
from geosharp.tuning.ground import Ground
from geosharp.tuning.tune import Tuned
from geosharp.tuning.verdict import Verdict
from tests.hfreqdiff.made_model import make_network


def test_scores_that_are_no_numbers_are_told_as_text() -> None:
    scores = {protocol: dict.fromkeys(metrics, math.inf) for protocol, metrics in METRICS.items()}
    scores["reduced"]["psnr"] = 30.5
    tuned = Tuned(make_network(), (), True, 3, 4, 5.0)
    told = tell_outcome(tuned, {"base": scores}, Verdict(True, "better", (0.12345,)))
    assert told == json.loads(json.dumps(told, allow_nan=False))
    assert told["scores"]["base"]["reduced"]["psnr"] == 30.5
    assert told["scores"]["base"]["full"]["hqnr"] == "inf"
    assert (told["step_of_weights"], told["steps_made"], told["gains"]) == (3, 4, [0.123])


def test_the_same_run_tells_the_same_however_long_it_took() -> None:
    verdict = Verdict(False, "no better", ())
    fast, slow = (Tuned(make_network(), (), False, 4, 4, seconds) for seconds in (1.0, 2.0))
    assert tell_outcome(fast, {}, verdict) == tell_outcome(slow, {}, verdict)


def test_a_scene_is_told_without_its_folders(ground: Ground) -> None:
    name = ground.scene.pan.name
    # A PAN and an MS may have one name, in two folders.
    told = tell_scene(ground.scene, {name: "0f", "ms/pan.tif": "1e"}, {"source": "sensor"}, ground)
    assert told["sensor_file"] is told["sensor_sha256"] is None
    assert (told["pan"], told["ms"], told["sha256"]) == (
        "pan.tif",
        ["ms.tif"],
        [["pan.tif", "0f"], ["pan.tif", "1e"]],
    )
    assert len(told["kept_aside_ms_pixels"]) == len(ground.places.held)


def test_what_starts_from_nothing_has_no_base_and_no_licences() -> None:
    told = tell_origin("train", [], None, {"seed": "0"})
    assert (told["base"], told["licences"]) == ({"sha256": None}, [])
    assert told["made_by"].startswith("geosharp train ")
