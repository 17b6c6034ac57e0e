"""Small whole folders, and all that can be read of one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.tiles import tiles_of_growth
from secure_msg.ledger.transaction import (
    Append,
    Conflict,
    Damaged,
    Put,
    Register,
    Stale,
    Transaction,
)
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import private_chain
from tests.store.contract import ALICE, BOB, OTHER, PATH, THREAD, account, ident, message, opened
from tests.store.house import FileHouse
from tests.tamper.kinds import TRANSIENT, kind_of

NOT_KNOWN = "this id was never sent"
SECOND = ident("second thread")
THIRD = ident("third path")

Image: TypeAlias = dict[str, bytes]
"""All files of a folder: path -> bytes. Every folder that matters has one."""


@dataclass(frozen=True)
class Sent:
    """A message's id, and the size from which on a repeat of it is looked up."""

    unique: bytes
    seen: int


@dataclass(frozen=True)
class World:
    """A folder as a SIGKILL left it, what is read of it, and what it held at earlier times."""

    image: Image
    keys: ServerKeys
    page: int
    sent: list[Sent]
    reads: dict[str, Any] = field(default_factory=dict)
    restored: list[int] = field(default_factory=list)
    """Log indices of the restorations that were announced."""
    older: list[Image] = field(default_factory=list)
    fork: Image = field(default_factory=dict)
    """The same folder after another history, signed by the same server."""


def image_of(root: Path) -> Image:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def meant(image: Image) -> list[str]:
    """The files whose bytes mean something."""
    return sorted(
        name for name, data in image.items() if data and kind_of(name).name not in TRANSIENT
    )


def write_image(image: Image, root: Path) -> None:
    """`root` holds exactly `image` afterwards."""
    shutil.rmtree(root, ignore_errors=True)
    for folder in {(root / name).parent for name in image}:
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in image.items():
        (root / name).write_bytes(data)
    seal = root / "server" / "seal.key"
    if seal.exists():
        seal.chmod(0o600)


Step: TypeAlias = Callable[[FileStore], object]


def small_steps(salt: bytes) -> list[Step]:
    """A life with every kind of change; `salt` makes another one of the same shape.

    Short, because a folder is written, examined, started and read whole for each change of it.
    """

    def commit(*parts: Any) -> Step:
        return lambda store: store.commit(Transaction(*parts))

    def send(number: int, body: bytes) -> Step:
        return commit((message(body + salt, unique=unique(salt, number), seen=1),))

    return [
        lambda store: store.commit(account(ALICE, "alice")),
        lambda store: store.commit(account(BOB, "bob")),
        lambda store: store.commit(opened(THREAD)),
        lambda store: store.commit(opened(SECOND)),
        commit((), (Put(BOB, PATH, 0, b"bob's " + salt),)),
        commit((), tuple(Put(ALICE, PATH, n, b"state %d " % n + salt) for n in range(3))),
        commit((), (Put(ALICE, OTHER, 0, b"other " + salt), Put(ALICE, THIRD, 0, b"gone soon"))),
        commit((), (), (Register(THREAD, b"", ident("session")),)),
        FileStore.flush,
        *(send(number, b"message %d " % number) for number in range(5)),
        lambda store: store.erase(THREAD, 2),
        commit((Append(ALICE, "keys", b"more " + salt),), (Put(ALICE, THIRD, 1, None),)),
        commit((Append(SECOND, "message", b"second " + salt),)),
        FileStore.flush,
        commit((), (Put(ALICE, OTHER, 1, b"newer " + salt),)),
        FileStore.flush,
        send(5, b"not yet in the files "),
        commit(
            (Append(SECOND, "message", b"nor this " + salt),), (Put(BOB, PATH, 1, b"b" + salt),)
        ),
    ]


SMALL_SENT = [(number, 1) for number in range(6)]


def large_steps(salt: bytes) -> list[Step]:
    """Beyond 256 of all that goes in groups of 256: log leaves, entries of a thread, puts."""

    def send(number: int) -> Step:
        body, known = b"message %d " % number + salt, unique(salt, number)
        more = message(body, unique=known, seen=number)
        state = b"state %d " % number + salt
        puts = (Put(ALICE, OTHER, number, state),) if number < 262 else ()
        return lambda store: store.commit(Transaction((more,), puts))

    return [
        lambda store: store.commit(account(ALICE, "alice")),
        lambda store: store.commit(opened(THREAD)),
        *(send(number) for number in range(40)),
        FileStore.flush,
        *(send(number) for number in range(40, 280)),
        FileStore.flush,
        send(280),
    ]


LARGE_SENT = [(number, number) for number in range(40, 281, 20)]


def unique(salt: bytes, number: int) -> bytes:
    return ident(f"{salt.decode()} {number}")[:16]


def small_world(folder: Path) -> World:
    return _build(folder, small_steps, 8, SMALL_SENT)


def large_world(folder: Path) -> World:
    return _build(folder, large_steps, 64, LARGE_SENT)


def _build(
    folder: Path, steps: Callable[[bytes], list[Step]], page: int, sent: list[tuple[int, int]]
) -> World:
    """Live through `steps`, keep what was there at each flush, and what a kill would leave."""
    older: list[Image] = []
    house = FileHouse(folder / "built")
    store = house.open()
    house.close()
    (house.root / "restored").touch()  # the server was once set back to a copy
    store = house.open()
    for step in steps(b"one"):
        step(store)
        if step is FileStore.flush:
            older.append(image_of(house.root))
    image = image_of(house.root)
    house.close()
    shutil.rmtree(house.root)
    fork = _fork(folder, house.keys, older[0], steps)
    known = [Sent(unique(b"one", number), seen) for number, seen in sent]
    restored = [int(Path(name).name) for name in image if name.startswith("server/restored/")]
    whole = World(image, house.keys, page, known, restored=restored, older=older, fork=fork)
    return _read(folder, whole)


def _fork(
    folder: Path, keys: ServerKeys, begun: Image, steps: Callable[[bytes], list[Step]]
) -> Image:
    """From the first flush on another history, as a server that forks would have it."""
    all_steps = steps(b"two")
    root = folder / "fork"
    write_image(begun, root)
    house = FileHouse(root, keys)
    store = house.open()
    for step in all_steps[all_steps.index(FileStore.flush) + 1 :]:
        step(store)
    image = image_of(root)
    house.close()
    shutil.rmtree(root)
    return image


def _read(folder: Path, world: World) -> World:
    root = folder / "whole"
    write_image(world.image, root)
    house = FileHouse(root, world.keys)
    reads = read_all(house.open(), world)
    house.close()
    shutil.rmtree(root)
    return replace(world, reads=reads)


def read_all(store: FileStore, world: World) -> dict[str, Any]:
    """Everything that anybody can be served: owner of the bytes and what -> value, or Damaged."""
    found: dict[str, Any] = {}
    for name, read in reads_of(store, world):
        try:
            found[name] = read()
        except Damaged:
            found[name] = Damaged
    return found


def reads_of(store: FileStore, world: World) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "heads chains", lambda: [sorted(store.chains(one)) for one in ("account", "thread")]
    yield "heads names", lambda: [store.name_owner(one) for one in ("alice", "bob", "nobody")]
    yield "heads name proof", lambda: store.name_proof("alice")
    yield "log checkpoint", lambda: _checkpoint(store, world)
    for index in world.restored:
        yield f"restored {index}", lambda index=index: _statement(store, index)
    yield from _log_reads(store, world)
    for number, sent in enumerate(world.sent):
        again = message(b"again", unique=sent.unique, seen=sent.seen)
        yield f"thread repeat {number}", lambda again=again: _repeat(store, again)
    for name, chain in chains().items():
        yield from _chain_reads(store, world, name, chain)
    for name, owner in (("alice", ALICE), ("bob", BOB)):
        yield f"{name} names", lambda owner=owner: sorted(map(repr, store.private_names(owner)))
        for path in (PATH, OTHER, THIRD):
            yield (
                f"{name} file {path.hex()[:8]}",
                lambda owner=owner, path=path: store.private(owner, path),
            )


def chains() -> dict[str, bytes]:
    return {
        "thread": THREAD,
        "second": SECOND,
        "alice account": ALICE,
        "bob account": BOB,
        "alice chain": private_chain(ALICE),
        "bob chain": private_chain(BOB),
    }


def _chain_reads(
    store: FileStore, world: World, name: str, chain: bytes
) -> Iterator[tuple[str, Callable[[], Any]]]:
    size = store.head(chain).size
    yield f"{name} head", lambda: (store.head(chain), _proved(store.head_proof(chain)))
    unknown = Append(
        chain, "any", b"", unique=ident("nobody sent it")[:16], seen=max(size - 256, 0)
    )
    yield f"{name} repeat of nothing", lambda: _repeat(store, unknown)
    for start in range(0, size, world.page):
        yield f"{name} entries {start}", lambda start=start: store.entries(chain, start, world.page)
        yield f"{name} frontier {start}", lambda start=start: store.frontier(chain, start)
        yield f"{name} receipt {start}", lambda start=start: _proved(store.receipt(chain, start))


def _repeat(store: FileStore, again: Append) -> Any:
    """What a sender is told that sends an id again; what is not known is refused unwritten."""
    refused = Append(SECOND, "message", b"", expected_size=1 << 40)
    try:
        return store.commit(Transaction((again, refused)))
    except Conflict:
        return NOT_KNOWN
    except (Stale, ValueError) as refusal:
        return str(refusal)


def _checkpoint(store: FileStore, world: World) -> tuple[int, bytes]:
    identity = world.keys.identity
    found = verify_checkpoint(store.checkpoint(), identity.origin, identity.public)
    return found.size, found.root


def _statement(store: FileStore, index: int) -> bytes:
    """The restored statement of log leaf `index`; what does not check is left out of the news."""
    for one in store.log_news(0).restorations:
        if one.log_index == index:
            return one.statement
    raise Damaged(f"the restored statement {index} is not served")


def _log_reads(store: FileStore, world: World) -> Iterator[tuple[str, Callable[[], Any]]]:
    size = _checkpoint(store, world)[0]
    for tile in tiles_of_growth(0, size):
        yield f"log {tile.path}", lambda tile=tile: store.ledger_file(tile.path)


def _proved(proof: Any) -> tuple[Any, ...]:
    """A proof without its checkpoint, whose ML-DSA signature is never the same twice."""
    return tuple(getattr(proof, name) for name in type(proof).__slots__ if name != "checkpoint")
