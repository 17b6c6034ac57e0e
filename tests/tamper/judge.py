"""What must come of a change, and which bytes of a folder mean nothing."""

from __future__ import annotations

from collections.abc import Iterator

from secure_msg.ledger.merkle import HASH_SIZE
from secure_msg.store.chainfiles import GROUP, ROW_SIZE, SLOT_SIZE, TABLE_SIZE
from secure_msg.store.overlay import MAX_SEARCHED
from tests.store.contract import ALICE, BOB, PATH, THREAD
from tests.tamper.changes import Change, Outcome
from tests.tamper.kinds import KINDS, kind_of
from tests.tamper.world import NOT_KNOWN, SECOND, Image, World

READERS = {
    f"general/accounts/{ALICE[:16].hex()}/": ("alice account ",),
    f"general/accounts/{BOB[:16].hex()}/": ("bob account ",),
    f"general/threads/{THREAD[:16].hex()}/": ("thread ",),
    f"general/threads/{SECOND[:16].hex()}/": ("second ",),
    f"local/{ALICE[:16].hex()}/": ("alice chain ", "alice names", "alice file "),
    f"local/{BOB[:16].hex()}/": ("bob chain ", "bob names", "bob file "),
    "ledger/tile/": ("log ", "restored "),
    "server/restored/": ("restored ",),
}
"""Whose reads a damaged file may take with it: its own, and nobody else's."""

HEADS = ("ledger/heads", "ledger/heads.copy")
SUPERSEDED = f"local/{BOB[:16].hex()}/{PATH.hex()}.1"
"""A private file whose successor is in the journal alone: it lies there and is read no more."""


PLACES = (*(kind.place for kind in KINDS if kind.place is not None), "heads", "tile/")
ALONE = ("general/", "local/")
"""What no other file knows: a change of these is named where it is."""


def judge_flip(world: World, path: str, offset: int, outcome: Outcome) -> list[str]:
    """Why the outcome of one changed bit is not what it must be; empty: it is."""
    found = [*_served(outcome), *_alone([path], outcome)]
    if not _far_back(world, path, offset):
        found += _read([path], outcome)
    place, named = kind_of(path).place, kind_of(path).named or path
    if outcome.refused is not None and (place is None or place not in outcome.refused):
        found.append(f"refuses to start without naming {place}: {outcome.refused}")
    if named not in outcome.named:
        found.append(f"verify names {outcome.named or 'nothing'} and not {named}")
    return found


def judge(world: World, change: Change, outcome: Outcome, *, fork: bool = False) -> list[str]:
    """The same for whole files. What one of two that contradict each other is wrong, the store and
    `verify` cannot always tell; that one of them is, they must.

    A row of `leaves` has a MAC that binds its place and not the history before it: in rows of a
    `fork` a message may be unknown that was sent, so that a repeat would be written again; a wrong
    place is never answered (docs/spec/storage.md, "What a change of the files can do"). Reads
    notice such rows where they need them and the heads do not have the same.
    """
    told = [path for path, data in change.items() if means_something(world, path, data)]
    if fork:
        unknown = {name for name, value in outcome.wrong.items() if value == NOT_KNOWN}
        outcome.wrong = {name: outcome.wrong[name] for name in outcome.wrong.keys() - unknown}
    found = [*_served(outcome), *_alone(list(change), outcome)]
    read = [path for path in told if not (fork and path.endswith("/leaves"))]
    found += _read(read, outcome)
    if outcome.refused is not None and not any(place in outcome.refused for place in PLACES):
        found.append(f"refuses to start without naming a place: {outcome.refused}")
    if not _named_near(told, outcome):
        found.append(f"verify names {outcome.named or 'nothing'} and nothing near {told}")
    return found


def _named_near(told: list[str], outcome: Outcome) -> bool:
    if len(told) == 1 and told[0] in HEADS and outcome.noted == told:
        return True  # as a crash between the writes of both copies leaves it; a start mends it
    if not all(path.startswith(ALONE) for path in told):
        return bool(outcome.named)
    folders = {path.rpartition("/")[0] for path in told}
    return any(path.rpartition("/")[0] in folders for path in outcome.named)


def _served(outcome: Outcome) -> Iterator[str]:
    if outcome.wrong:
        yield f"served what is wrong: {sorted(outcome.wrong)}"


def _alone(paths: list[str], outcome: Outcome) -> Iterator[str]:
    allowed = tuple(reader for path in paths for reader in _readers(path))
    strangers = [name for name in outcome.damaged if not name.startswith(allowed)]
    if strangers:
        yield f"takes others with it: {strangers}"


def _read(told: list[str], outcome: Outcome) -> Iterator[str]:
    read = [path for path in told if path != SUPERSEDED and not _in_the_head(path)]
    if read and not outcome.noticed_on_read:
        yield f"nobody notices on read: {read}"


def _far_back(world: World, path: str, offset: int) -> bool:
    """Whether it is what a row has beside its leaf hash, further back than repeats are looked for.

    Nothing that is served depends on it; who reads it is `verify`.
    """
    if not path.endswith("/leaves") or offset % ROW_SIZE < HASH_SIZE:
        return False
    heads = [f"{reader}head" for reader in _readers(path) if f"{reader}head" in world.reads]
    [head] = [world.reads[name][0] for name in heads]
    return bool(offset // ROW_SIZE < head.size - MAX_SEARCHED)


def _in_the_head(path: str) -> bool:
    """Whether it holds roots of groups, which in these worlds all stand in the heads too.

    Reads take them from there; who reads the file is `verify`.
    """
    return path.rpartition("/")[2].startswith("level-")


def _readers(path: str) -> tuple[str, ...]:
    for folder, readers in READERS.items():
        if path.startswith(folder):
            return readers
    return ()


def means_something(world: World, path: str, data: bytes | None) -> bool:
    """Whether a change of `path` changes any byte that something depends on."""
    before = world.image.get(path, b"")
    after = data or b""
    if len(before) != len(after):
        idle = idle_bytes(world.image, path)
        return any(place not in idle for place in range(len(after), len(before))) or len(
            after
        ) > len(before)
    differs = {place for place in range(len(before)) if before[place] != after[place]}
    return bool(differs - idle_bytes(world.image, path))


def idle_bytes(image: Image, path: str) -> set[int]:
    """Bytes of an entries file that no slot names, and the slots of entries that are not there."""
    folder, _, name = path.rpartition("/")
    if path not in image or not name.startswith("entries-"):
        return set()
    data, entries = image[path], len(image[f"{folder}/leaves"]) // ROW_SIZE
    slots = min(entries - int(name[8:]) * GROUP, GROUP)
    used = set(range(slots * SLOT_SIZE))
    for slot in range(slots):
        at = slot * SLOT_SIZE
        offset, size = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (0, 4))
        used |= set(range(offset, offset + size))
    return set(range(max(len(data), TABLE_SIZE))) - used
