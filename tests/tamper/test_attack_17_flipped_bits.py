"""A thief or a failing disk changes one bit of one stored file, of any kind.

Each flip is made in a fresh copy of a small whole folder, which is then examined, started and read
from end to end: no shortcut stands between a flip and its verdict (docs/testing.md). `make fault`
makes 100,000, `make test` some hundred; SEED repeats a run.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.effort import amount, fresh_seed
from tests.tamper.changes import outcome_of
from tests.tamper.judge import idle_bytes, judge_flip
from tests.tamper.kinds import KINDS, TRANSIENT, UnknownKind, kind_of
from tests.tamper.world import World, meant

SEED = fresh_seed("flipped bits")
SHARDS = amount(2, 100)
FLIPS = {"small": amount(80, 960), "large": amount(4, 40)}


def test_attack_17_every_stored_file_is_of_a_known_kind(worlds: dict[str, World]) -> None:
    """A new kind of file comes with the proof that changes of it are noticed."""
    found = {
        kind_of(name).name
        for world in worlds.values()
        for name, data in world.image.items()
        if data
    }
    assert found | TRANSIENT == {kind.name for kind in KINDS}
    with pytest.raises(UnknownKind):
        kind_of("local/0123456789abcdef0123456789abcdef/notes.txt")


def test_attack_17_an_unchanged_folder_raises_no_alarm(
    worlds: dict[str, World], root: Path
) -> None:
    """Or the judge would see what is not there."""
    for world in worlds.values():
        outcome = outcome_of(world, {}, root)
        assert (outcome.refused, outcome.wrong, outcome.damaged) == (None, {}, [])
        assert outcome.warnings == []
        assert outcome.named == []


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("which", FLIPS)
def test_attack_17_a_flipped_bit_is_noticed_and_never_served(
    worlds: dict[str, World], root: Path, which: str, shard: int
) -> None:
    chosen = random.Random(f"{SEED}/{which}/{shard}")
    world = worlds[which]
    names = _names(worlds, which)
    for _ in range(FLIPS[which]):
        name = chosen.choice(names)
        place = chosen.choice(_meant(world, name))
        bit = chosen.randrange(8)
        changed = flipped(world.image[name], place, bit)
        outcome = outcome_of(world, {name: changed}, root)
        assert judge_flip(world, name, place, outcome) == [], f"SEED={SEED} {name} {place}.{bit}"


def flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def _names(worlds: dict[str, World], which: str) -> list[str]:
    """Files with bytes; of the large world those first that the small one has no like of."""
    names = meant(worlds[which].image)
    if which == "small":
        return names
    small = {kind_of(name).name for name in worlds["small"].image}
    own = [name for name in names if kind_of(name).name not in small or "level-" in name]
    return own * 8 + names


def _meant(world: World, name: str) -> range | list[int]:
    idle = idle_bytes(world.image, name)
    places = range(len(world.image[name]))
    return [place for place in places if place not in idle] if idle else places
