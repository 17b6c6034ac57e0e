"""Make an old folder for the tests of migrations: see README.md in this folder.

Uses the store's port alone, so that it runs on the code of any format:

    PYTHONPATH=<work tree of the old commit> python tests/store/folders/make.py 1
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from secure_msg.crypto.hash import sha256
from secure_msg.ledger.transaction import (
    Append,
    NameClaim,
    Put,
    Register,
    StoredEntry,
    Transaction,
)
from secure_msg.store.files import FileStore
from secure_msg.store.serverkeys import open_or_create
from secure_msg.store.state import private_chain

HERE = Path(__file__).resolve().parent
START = 1_800_000_000_000
PEOPLE = ("alice", "bob", "carol")
THREADS = (("alice", "bob"), ("bob", "carol"))
MESSAGES = 280


def ident(name: str) -> bytes:
    return sha256(b"old folder", name.encode())


class Counted:
    """Deterministic bytes, so that the folder can be made again."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        blocks = range((size + 31) // 32)
        return b"".join(ident(f"random {self.count} {block}") for block in blocks)[:size]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        self.now += 250
        return self.now


def fill(store: FileStore) -> None:
    """Accounts with names and files, threads with messages, one of them erased."""
    for name in PEOPLE:
        owner = ident(name)
        store.commit(
            Transaction(
                (Append(owner, "account", b"account of " + name.encode(), label=name.encode()),),
                (Put(owner, ident("settings"), 0, ident(name) * 4),),
                names=(NameClaim(name, owner), NameClaim(name + "x", owner)),
            )
        )
    for first, second in THREADS:
        thread = ident(first + second)
        store.commit(
            Transaction(
                (Append(thread, "opened", b"members", label=ident(first)[:8]),),
                registers=(Register(thread, b"", ident("session " + first)),),
            )
        )
    store.flush()
    for number in range(MESSAGES):
        first, second = THREADS[number % 20 // 19]
        send(store, number, first, second)
        if number == 100:
            store.flush()
    store.commit(Transaction(puts=(Put(ident("carol"), ident("settings"), 1, None),)))
    store.flush()
    store.erase(ident("alicebob"), 7)


def send(store: FileStore, number: int, first: str, second: str) -> None:
    """One message with its sender's saved state."""
    thread = ident(first + second)
    seen = store.head(thread).size
    body = b"message %d " % number + ident(str(number))
    unique = ident(f"unique {number}")[:16]
    path = ident(f"file {number % 3}")
    versions = {one.path: one.version for one in store.private_names(ident(first))}
    store.commit(
        Transaction(
            (Append(thread, "message", body, erasable=True, unique=unique, seen=seen),),
            (Put(ident(first), path, versions.get(path, 0), b"state %d" % number * 3),),
        )
    )


def fill_journal(store: FileStore) -> None:
    """What no flush has yet put into the files: entries, a new chain, files, a register, a name."""
    dave = ident("dave")
    send(store, MESSAGES, "alice", "bob")
    store.commit(
        Transaction(
            (Append(dave, "account", b"account of dave", label=b"dave"),),
            (Put(dave, ident("settings"), 0, b"dave's"),),
            names=(NameClaim("dave", dave),),
        )
    )
    thread = ident("bobcarol")
    store.commit(Transaction(registers=(Register(thread, ident("session bob"), b""),)))


def contents(store: FileStore) -> dict[str, Any]:
    """All that the port answers, for comparison."""
    accounts = sorted(store.chains("account"))
    chains = [*accounts, *sorted(store.chains("thread"))]
    chains += [(private_chain(one), b"") for one, _ in accounts]
    names = [*PEOPLE, *(name + "x" for name in PEOPLE), "dave", "nobody"]
    return {
        "checkpoint": store.checkpoint().decode(),
        "chains": {one.hex(): chain(store, one, label) for one, label in chains},
        "files": {one.hex(): files(store, one) for one, _ in accounts},
        "names": {name: (store.name_owner(name) or b"").hex() for name in names},
    }


def chain(store: FileStore, identifier: bytes, label: bytes) -> dict[str, Any]:
    head = store.head(identifier)
    entries = store.entries(identifier, 0, head.size)
    return {
        "size": head.size,
        "root": head.root.hex(),
        "register": head.register.hex(),
        "label": label.hex(),
        "entries": sha256(*(part for one in entries for part in parts(one))).hex(),
        "erased": [number for number, one in enumerate(entries) if one.body is None],
    }


def parts(entry: StoredEntry) -> tuple[bytes, ...]:
    return entry.header, entry.salt, entry.body or b"erased"


def files(store: FileStore, account: bytes) -> dict[str, list[Any]]:
    found = {}
    for name in sorted(store.private_names(account), key=lambda one: one.path):
        file = store.private(account, name.path)
        found[name.path.hex()] = [name.version, sha256(file.blob if file else b"").hex()]
    return found


def main(version: str) -> None:
    random, clock = Counted(), Clock()
    with tempfile.TemporaryDirectory() as scratch:
        root, killed = Path(scratch) / "storage", Path(scratch) / "killed"
        root.mkdir()
        store = FileStore.open(root, open_or_create(root, None, random), clock, random)
        fill(store)
        fill_journal(store)
        shutil.copytree(root, killed)
        expected = contents(store)
        store.close()
        with tarfile.open(HERE / f"format-{version}.tar.xz", "w:xz") as archive:
            archive.add(killed, "storage")
    (HERE / f"format-{version}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
