"""Power lost at any moment: what was not synced is dropped, torn and reordered."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from secure_msg.ledger.transaction import StorageFailed
from tests.fault.recording import UNRECORDED, Image, Named, Recording, RecordingDisk, Remains
from tests.store.house import FileHouse
from tests.store.test_store_crash import SCRIPT, check_images, expected_states, image_of, seen
from tests.support.effort import amount, fresh_seed

BLOB = re.compile(r"[0-9a-f]{64}\.[0-9]+$")
PREFIXES_EACH = 6
"""Of the prefixes `make test` takes one in so many."""
KILLED_RUNS = (3, 40)
REORDERINGS = (120, 10_000)


def record(house: FileHouse, *, syncfs: bool = True) -> Recording:
    """The script from an empty folder to its end."""
    recording = Recording(house.root)
    store = house.open(RecordingDisk(recording, syncfs=syncfs))
    for step in SCRIPT:
        step(store)
        recording.done += 1
    house.close()
    return recording


def record_killed(house: FileHouse, states: list[tuple[object, ...]], dies_at: int) -> Recording:
    """The same, killed after `dies_at` operations and started again on what the kernel has."""
    recording = Recording(house.root)
    with suppress(StorageFailed, OSError):
        store = house.open(RecordingDisk(recording, dies_at, syncfs=dies_at % 2 == 0))
        for step in SCRIPT:
            step(store)
            recording.done += 1
    with suppress(OSError):
        house.close()
    store = house.open(RecordingDisk(recording))
    recording.done = states.index(seen(store), recording.done)
    for step in SCRIPT[recording.done :]:
        step(store)
        recording.done += 1
    house.close()
    return recording


def walk(recording: Recording) -> Iterator[tuple[Remains, int]]:
    """What there is before each operation, with the steps of the script then done."""
    remains = Remains()
    for operation, done in recording.operations:
        yield remains, done
        remains.take(operation)


def test_the_recording_has_all_that_the_store_did(tmp_path: Path) -> None:
    """A durable step that the recording does not know would leave another folder."""
    house = FileHouse(tmp_path / "storage")
    recording = record(house)
    left = tuple(one for one in image_of(house.root) if one[0] not in UNRECORDED)
    assert recording.live() == left
    remains = Remains()
    for operation, _ in recording.operations:
        remains.take(operation)
    assert sorted(remains.killed()) == sorted(left)


def test_killed_or_without_power_after_every_operation(tmp_path: Path) -> None:
    states = expected_states(tmp_path)
    house = FileHouse(tmp_path / "storage")
    recording = record(house)
    images: dict[tuple[Image, int], None] = {}
    for remains, done in walk(recording):
        for image in (remains.killed(), remains.powerless()):
            images[image, done] = None
    assert len(images) > 200
    first = fresh_seed("prefixes") % PREFIXES_EACH
    chosen = list(images)[first :: amount(PREFIXES_EACH, 1)]
    check_images(tmp_path, chosen, house, states)


def blobs_of(image: Image) -> list[str]:
    return sorted(name for name, _ in image if BLOB.search(name))


def test_a_blob_whose_unlink_a_kill_left_undurable_does_not_come_back(tmp_path: Path) -> None:
    """Killed between unlink and sync, started, and then without power: no journal names it now."""
    plain = FileHouse(tmp_path / "plain", FileHouse(tmp_path / "keys").keys)
    unlinks = [
        number
        for number, (operation, _) in enumerate(record(plain, syncfs=False).operations)
        if isinstance(operation, Named) and operation.inode is None and BLOB.search(operation.name)
    ]
    assert unlinks
    for unlink in unlinks:
        house = FileHouse(tmp_path / f"killed-{unlink}", plain.keys)
        recording = Recording(house.root)
        with suppress(StorageFailed, OSError):
            store = house.open(RecordingDisk(recording, unlink + 1, syncfs=False))
            for step in SCRIPT:
                step(store)
        with suppress(OSError):
            house.close()
        house.open(RecordingDisk(recording, syncfs=False))
        remains = Remains()
        for operation, _ in list(recording.operations):
            remains.take(operation)
        assert blobs_of(remains.powerless()) == blobs_of(remains.killed())
        house.close()


def test_what_was_not_synced_is_dropped_torn_and_reordered(tmp_path: Path) -> None:
    rng = random.Random(fresh_seed("reorderings"))
    states = expected_states(tmp_path)
    house = FileHouse(tmp_path / "storage")
    bare = FileHouse(tmp_path / "bare", house.keys)
    recordings = [record(house), record(bare, syncfs=False)]
    for number in range(amount(*KILLED_RUNS)):
        killed = FileHouse(tmp_path / f"killed-{number}", house.keys)
        dies_at = rng.randrange(40, len(recordings[0].operations))
        recordings.append(record_killed(killed, states, dies_at))
    images: dict[tuple[Image, int], None] = {}
    while len(images) < amount(*REORDERINGS):
        for recording in recordings:
            moments = set(rng.sample(range(len(recording.operations)), 40))
            for number, (remains, done) in enumerate(walk(recording)):
                if number in moments:
                    images[remains.torn(rng), done] = None
    check_images(tmp_path, images, house, states)
