"""What is decided of a fusion before its first tile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from geosharp.engine.preparation import adopt, choose_options, preliminary_notes, prepare
from geosharp.errors import UsageError
from geosharp.hfreqdiff.settings import Diffusion
from geosharp.padm.table import table_degradation
from tests.made import make_pair


@pytest.mark.parametrize(("ratio", "method"), [(4, "hfreqdiff"), (8, "glp")])
def test_a_method_that_nobody_asked_for_is_one_that_fits(tmp_path: Path, ratio: int, method: str) -> None:
    setup = prepare(*make_pair(tmp_path, pan_shape=(128, 128), ratio=ratio))
    assert setup.method == method
    assert any("takes the place of hfreqdiff" in note for note in preliminary_notes(setup)) == (ratio == 8)


@pytest.mark.parametrize("method", ["exp", "gsa", "hfreqdiff"])
def test_what_calibration_tells_is_adopted_by_methods_that_take_it(
    made_pair: tuple[Path, Path], method: str
) -> None:
    setup = prepare(*made_pair, method=method)
    blurred = replace(table_degradation(setup.scene), shift=(0.5, -1.0))
    gains = tuple((0.02, 0.02) for _ in blurred.gains)
    adopted = adopt(setup, replace(blurred, gains=gains))
    if method == "exp":
        assert adopted is setup
        return
    assert adopted.degradation is not None
    assert adopted.degradation.gains == gains
    before, after = (made.scene.relation.offset for made in (setup, adopted))
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((0.5, -1.0))
    # A wider kernel reaches further.
    assert min(adopted.plan.halo) > min(setup.plan.halo)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": ["glp", "better"]}, "^--method: 'better'; needed: one of hfreqdiff, "),
        ({"methods": ["glp"], "weights": [1.0]}, "^--weights: weights for glp; needed: --method brovey"),
        ({"methods": ["gsa", "exp"], "diffusion": Diffusion()}, "^--method: gsa, exp, with --model"),
        ({"methods": ["hfreqdiff"], "diffusion": 4}, "^diffusion: 4; needed: a geosharp.Diffusion"),
    ],
)
def test_options_that_no_method_has_a_use_for_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_options(**given)  # type: ignore[arg-type]
