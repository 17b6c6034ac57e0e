"""Files are cut short, swapped, or replaced by others that the same server signed.

Older versions come from the same folder at earlier times; a fork is the folder after another
history under the same keys, so that everything in it checks by itself. `make fault` makes 10,000
changes, `make test` some dozen; SEED repeats a run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.effort import amount, fresh_seed
from tests.tamper.changes import Change, Outcome, outcome_of
from tests.tamper.judge import judge, means_something
from tests.tamper.kinds import UnknownKind, kind_of
from tests.tamper.world import Image, World, meant

SEED = fresh_seed("replaced files")
SHARDS = amount(1, 40)
CHANGES = {"cut": amount(25, 130), "swapped": amount(20, 60), "replaced": amount(20, 60)}


def is_journal(name: str) -> bool:
    return name.startswith("journal/")


def cut(world: World, chosen: random.Random) -> Change:
    names = [name for name in meant(world.image) if not is_journal(name)]
    while True:
        name = chosen.choice(names)
        data = world.image[name]
        size = chosen.choice([0, 1, len(data) - 1, chosen.randrange(len(data))])
        if means_something(world, name, data[:size]):
            return {name: data[:size]}


def swapped(world: World, chosen: random.Random) -> Change:
    """Two files, or the files of two folders of one shape, change places."""
    names = meant(world.image)
    while True:
        one, other = chosen.sample(names, 2)
        change: dict[str, bytes | None]
        if chosen.random() < 0.3:
            change = _folders_swapped(world.image, one, other)
        else:
            change = {one: world.image[other], other: world.image[one]}
        if any(means_something(world, name, data) for name, data in change.items()):
            return change


def _folders_swapped(image: Image, one: str, other: str) -> dict[str, bytes | None]:
    first, second = (name.rpartition("/")[0] + "/" for name in (one, other))
    change: dict[str, bytes | None] = {}
    if first == second or first.startswith(second) or second.startswith(first) or first == "/":
        return change
    for source, target in ((first, second), (second, first)):
        for name in image:
            if name.startswith(source):
                change.setdefault(name, None)
                change[target + name.removeprefix(source)] = image[name]
    return {} if any(_strange(name) for name in change) else change


def _strange(name: str) -> bool:
    """Whether no stored file has such a name: what lies there is nobody's."""
    try:
        kind_of(name)
    except UnknownKind:
        return True
    return False


def replaced(world: World, chosen: random.Random) -> Change:
    """One file, all files of one folder, or several from an older or another whole folder.

    Never all that says how far the store is: that would be an older whole folder, which nothing
    inside it can tell from the newest (attack 18: its clients do).
    """
    while True:
        source = chosen.choice([*world.older, world.fork])
        differing = sorted(
            name
            for name in set(meant(world.image)) & source.keys()
            if world.image[name] != source[name] and not is_journal(name)
        )
        if not differing:
            continue
        first = chosen.choice(differing)
        picked = {first}
        if chosen.random() < 0.3:
            folder = first.rpartition("/")[0]
            picked = {name for name in differing if name.rpartition("/")[0] == folder}
        elif chosen.random() < 0.5:
            picked |= set(chosen.sample(differing, chosen.randrange(1, min(4, len(differing)))))
        change = {name: source[name] for name in picked}
        if any(means_something(world, name, data) for name, data in change.items()):
            return change


MAKERS: dict[str, Callable[[World, random.Random], Change]] = {
    "cut": cut,
    "swapped": swapped,
    "replaced": replaced,
}


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("how", MAKERS)
def test_attack_17_a_changed_file_is_noticed_and_never_served(
    worlds: dict[str, World], root: Path, how: str, shard: int
) -> None:
    chosen = random.Random(f"{SEED}/{how}/{shard}")
    for number in range(CHANGES[how]):
        world = worlds["large" if number % 20 == 19 else "small"]
        change = MAKERS[how](world, chosen)
        outcome = outcome_of(world, change, root)
        fork = how == "replaced" and any(world.fork.get(one) == change[one] for one in change)
        found = judge(world, change, outcome, fork=fork)
        assert found == [], f"SEED={SEED} {how} {sorted(change)}"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_attack_17_a_journal_that_is_cut_loses_its_tail_and_nothing_else(
    worlds: dict[str, World], root: Path, shard: int
) -> None:
    """Nothing in the folder can tell it from a power cut; who holds a receipt can.

    What is served is the state at an earlier commit, whole, or the start is refused.
    """
    world = worlds["small"]
    chosen = random.Random(f"{SEED}/journal/{shard}")
    journals = [name for name in world.image if is_journal(name) and world.image[name]]
    tails = [
        outcome_of(world, {name: world.image[name][:size]}, root)
        for name in journals
        for size in record_ends(world.image[name])
    ]
    for _ in range(amount(12, 40)):
        name = chosen.choice(journals)
        size = chosen.randrange(len(world.image[name]))
        outcome = outcome_of(world, {name: world.image[name][:size]}, root)
        where = f"SEED={SEED} {name} cut at {size}"
        assert outcome.damaged == [], where
        if outcome.refused is None:
            assert any(_same(outcome, tail) for tail in tails), where
        else:
            assert "journal" in outcome.refused, where


def record_ends(segment: bytes) -> list[int]:
    """Where the records of a segment begin: after its magic, and each after the one before."""
    ends, place = [], len(b"smjrnl1\n")
    while place < len(segment):
        ends.append(place)
        place += 52 + int.from_bytes(segment[place + 4 : place + 8], "big")
    return ends


def _same(one: Outcome, other: Outcome) -> bool:
    return one.wrong == other.wrong and one.refused == other.refused


def test_attack_17_no_two_files_of_a_kind_can_change_places(
    worlds: dict[str, World], root: Path
) -> None:
    """Every pair in the full run, a sample in the quick one."""
    world = worlds["small"]
    names = meant(world.image)
    pairs = [
        (one, other)
        for one, other in combinations(names, 2)
        if world.image[one] != world.image[other]
    ]
    for one, other in random.Random(SEED).sample(pairs, amount(20, len(pairs))):
        change: Change = {one: world.image[other], other: world.image[one]}
        outcome = outcome_of(world, change, root)
        assert judge(world, change, outcome) == [], f"SEED={SEED} {one} with {other}"
