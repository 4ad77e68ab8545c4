from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from geosharp.engine.plan import MIN_TILE, Gpus, Limits, Plan, available_cores, make_plan
from geosharp.errors import ResourceError, UsageError
from geosharp.imaging.rules import SizeRules
from geosharp.raster.area import Area
from geosharp.raster.grid import Rect, tiles
from geosharp.raster.scene import Scene, open_scene

MB = 2**20
RULES = SizeRules(1, (44, 44))
AREA = Area(Rect(0, 0, 20_000, 20_000))


@pytest.fixture(scope="module")
def scene(made_pair: tuple[Path, Path]) -> Scene:
    return open_scene(*made_pair)


def planned(
    scene: Scene,
    part: Area,
    rules: SizeRules,
    dtype: str,
    *,
    tensors: bool = True,
    tile: int | None = None,
    threads: int | None = None,
    max_memory: int | None = None,
) -> Plan:
    limits = Limits(tile, threads, max_memory)
    plan = make_plan(scene, part, rules, dtype, tensors=tensors, limits=limits)
    assert plan.limits == limits
    return plan


def test_what_is_asked_for_is_done(scene: Scene) -> None:
    plan = planned(scene, AREA, RULES, "uint16", tile=320, threads=3)
    assert (plan.area, plan.halo, plan.tile, plan.threads) == (AREA, RULES.halo, 320, 3)


def test_by_default_every_core_computes(scene: Scene) -> None:
    assert planned(scene, AREA, RULES, "uint16", max_memory=64_000 * MB).threads == available_cores()


@pytest.mark.parametrize("limit", [640, 800, 1000, 2000, 8000])
@pytest.mark.parametrize("threads", [1, 4, 16])
def test_the_estimate_is_under_the_limit(scene: Scene, limit: int, threads: int) -> None:
    plan = planned(scene, AREA, RULES, "uint16", threads=threads, max_memory=limit * MB)
    assert plan.memory <= limit * MB
    assert plan.tile >= MIN_TILE
    assert 1 <= plan.threads <= threads
    assert plan.readers >= 1


def test_the_tile_gives_way_before_the_threads(scene: Scene) -> None:
    ample = planned(scene, AREA, RULES, "float32", threads=8, max_memory=64_000 * MB)
    tight = planned(scene, AREA, RULES, "float32", threads=8, max_memory=ample.memory - 1)
    assert (tight.tile, tight.threads) == (ample.tile // 2, 8)
    smallest = planned(scene, AREA, RULES, "float32", threads=8, tile=MIN_TILE)
    tighter = planned(scene, AREA, RULES, "float32", threads=8, max_memory=smallest.memory - 1)
    assert tighter.threads < 8


def test_with_the_tile_given_only_threads_give_way(scene: Scene) -> None:
    ample = planned(scene, AREA, RULES, "uint16", tile=512, threads=8)
    tight = planned(scene, AREA, RULES, "uint16", tile=512, threads=8, max_memory=ample.memory - 1)
    assert tight.tile == 512
    assert tight.threads < 8
    assert tight.memory < ample.memory


HUNGRY = SizeRules(4, (127, 127), 400)


def refusal(scene: Scene, limit: int, tile: int | None = None) -> str:
    limits = Limits(tile, 4, limit)
    with pytest.raises(ResourceError) as caught:
        make_plan(scene, AREA, HUNGRY, "uint16", limits=limits, lighter={"light": RULES})
    return caught.value.remedy


@pytest.mark.parametrize("tile", [None, 1024])
def test_a_refusal_names_the_least_that_would_do(scene: Scene, tile: int | None) -> None:
    told = re.match(r"give --max-memory (\d+)M", refusal(scene, 400 * MB, tile))
    assert told is not None
    least = int(told[1])
    assert planned(scene, AREA, HUNGRY, "uint16", tile=tile, threads=4, max_memory=least * MB).tile == (
        tile or 64
    )
    refusal(scene, (least - 1) * MB, tile)


def test_a_refusal_names_smaller_tiles_and_lighter_methods_where_they_would_do(scene: Scene) -> None:
    wide = planned(scene, AREA, HUNGRY, "uint16", tile=1024, threads=1).memory
    half, smallest = (
        planned(scene, AREA, HUNGRY, "uint16", tile=tile, threads=1).memory for tile in (512, MIN_TILE)
    )
    light = planned(scene, AREA, RULES, "uint16", tile=MIN_TILE, threads=1).memory
    assert light < smallest < half < wide
    assert "take --tile 512, or take --method light" in refusal(scene, half, 1024)
    assert "take --tile 256" in refusal(scene, half - 1, 1024)
    assert "--tile" not in refusal(scene, smallest - 1, 1024)
    assert "--tile" not in refusal(scene, smallest - 1)
    assert "--method light" in refusal(scene, smallest - 1)
    assert "--method light" not in refusal(scene, light - 1)


def test_a_refusal_names_parts_of_the_scene_where_its_width_is_what_is_too_much(scene: Scene) -> None:
    least = planned(scene, AREA, HUNGRY, "uint16", tile=MIN_TILE, threads=1).memory
    assert refusal(scene, least - 1).endswith("or fuse the scene in parts with --area")
    assert "--area" not in refusal(scene, 10 * MB)


@pytest.mark.parametrize("tile", [None, 1024])
@pytest.mark.parametrize("limit", [0, 1, 300 * MB])
def test_what_cannot_fit_is_refused(scene: Scene, tile: int | None, limit: int) -> None:
    with pytest.raises(ResourceError) as refusal:
        planned(scene, AREA, RULES, "uint16", tile=tile, max_memory=limit)
    assert refusal.value.subject == "--max-memory"
    assert f"{limit // MB} MB" in refusal.value.found


def test_a_tile_given_without_a_limit_is_taken_as_it_is(scene: Scene) -> None:
    assert planned(scene, AREA, RULES, "float64", tile=8192, threads=2).tile == 8192


@pytest.mark.parametrize(
    ("flag", "given"), [("--tile", {"tile": MIN_TILE - 1}), ("--threads", {"threads": 0})]
)
def test_nonsense_is_refused_by_its_flag(scene: Scene, flag: str, given: dict[str, int]) -> None:
    with pytest.raises(UsageError) as refusal:
        planned(scene, AREA, RULES, "uint16", tile=given.get("tile"), threads=given.get("threads"))
    assert refusal.value.subject == flag


@pytest.mark.parametrize("multiple", [1, 4, 48])
@pytest.mark.parametrize("limit", [700, 4000])
def test_tiles_are_whole_multiples(scene: Scene, multiple: int, limit: int) -> None:
    plan = planned(scene, AREA, SizeRules(multiple, RULES.halo), "uint16", threads=2, max_memory=limit * MB)
    assert plan.tile % multiple == 0
    assert planned(scene, AREA, SizeRules(48, RULES.halo), "uint16", tile=100).tile == 144


@pytest.mark.parametrize("area", [Rect(0, 0, 256, 256), Rect(100, 63, 130, 190), Rect(511, 0, 2, 1025)])
def test_the_plan_counts_the_tiles_that_are_cut(scene: Scene, area: Rect) -> None:
    for tile in (64, 100, 512):
        plan = planned(scene, Area(area), RULES, "uint16", tile=tile)
        cut = list(plan.tiles())
        assert cut == list(tiles(area, plan.tile))
        assert plan.tile_count == len(cut)
        assert sum(part.area for part in cut) == area.area
        for part in cut:
            assert part.row % tile == 0 or part.row == area.row
            assert part.col % tile == 0 or part.col == area.col


def test_memory_grows_with_the_width_and_not_with_the_height(scene: Scene) -> None:
    def memory(height: int, width: int) -> int:
        return planned(scene, Area(Rect(0, 0, height, width)), RULES, "uint16", tile=512, threads=2).memory

    assert memory(1_000_000, 4096) == memory(1024, 4096)
    assert memory(1024, 400_000) > memory(1024, 4096)


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_memory_grows_with_what_is_held(scene: Scene, dtype: str) -> None:
    def memory(**given: int) -> int:
        return planned(scene, AREA, RULES, dtype, **{"tile": 256, "threads": 2, **given}).memory

    assert memory(tile=512) > memory()
    assert memory(threads=4) > memory()
    assert planned(scene, AREA, RULES, dtype, tile=256, threads=2, tensors=False).memory < memory()
    assert planned(scene, AREA, SizeRules(1, (200, 200)), dtype, tile=256, threads=2).memory > memory()


def test_the_block_cache_is_counted_and_bounded(scene: Scene) -> None:
    plan = planned(scene, AREA, RULES, "uint16", tile=512, threads=2)
    assert 32 * MB <= plan.cache <= 256 * MB
    assert plan.cache < plan.memory


def test_readers_follow_the_threads_and_where_the_files_lie(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    wide = replace(scene, pan=replace(scene.pan, block=(16, 16)))

    def readers(of: Scene, threads: int) -> int:
        return planned(of, Area(of.area), SizeRules(1, (8, 8)), "uint16", threads=threads).readers

    assert [readers(wide, threads) for threads in (1, 2, 4, 16, 64)] == [1, 1, 1, 4, 8]
    # Strips: every handle would decode all of them.
    assert readers(scene, 16) == 1
    far = replace(wide, pan=replace(wide.pan, name="/vsicurl/http://localhost/pan.tif"))
    assert readers(far, 2) == 4


def test_wide_scenes_are_worked_through_in_strips_where_blocks_allow(made_pair: tuple[Path, Path]) -> None:
    scene = open_scene(*made_pair)
    blocks = replace(
        scene, pan=replace(scene.pan, block=(16, 16)), ms=(replace(scene.ms[0], block=(16, 16)),)
    )

    def strip(of: Scene, area: Rect, tile: int | None = None) -> int | None:
        return planned(of, Area(area), SizeRules(1, (8, 8)), "uint16", tile=tile).strip

    wide = Rect(0, 512, 4096, 40_000)
    assert strip(blocks, wide) == 8192
    assert strip(blocks, wide, 2048) == 8192
    assert strip(blocks, Rect(0, 512, 40_000, 4096)) is None
    assert strip(blocks, wide.move(0, 100)) is None
    assert strip(blocks, wide, 640) is None
    assert strip(scene, wide) is None


def test_running_out_of_memory_says_what_to_change(scene: Scene) -> None:
    plan = planned(scene, AREA, RULES, "uint16", tile=512, threads=2)
    with pytest.raises(ResourceError) as refusal, plan.within_memory():
        raise MemoryError
    assert "512 PAN pixels in 2 threads" in refusal.value.found
    assert "--max-memory" in refusal.value.remedy


def test_a_gpu_takes_larger_tiles_as_far_as_it_has_room_and_none_of_the_computers_memory(
    scene: Scene,
) -> None:
    def on(gpus: Gpus | None, **asked: int) -> Plan:
        return make_plan(scene, AREA, HUNGRY, "uint16", limits=Limits(**asked), gpus=gpus)

    ample, scarce = on(Gpus(1, 64_000 * MB)), on(Gpus(1, 1))
    assert (ample.tile, ample.threads) == (2048, 2)
    assert (scarce.tile, scarce.threads) == (512, 2)
    # Twice the threads on one GPU leave half the room to each; on two GPUs they do not.
    within = 2 * 400 * 4 * (2048 + 254) ** 2 * 11 // 10
    assert [on(Gpus(1, within), threads=count).tile for count in (2, 4)] == [2048, 1024]
    both = on(Gpus(2, within))
    assert (both.tile, both.threads) == (2048, 4)
    assert on(Gpus(1, 1), tile=320).tile == 320
    assert ample.memory < on(None, tile=2048, threads=2).memory / 4
