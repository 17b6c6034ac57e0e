"""Set back to a copy: the marker that announces it, and the statements that were signed of it.

docs/spec/storage.md, "Restored". A statement is in its file before the journal that has it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.proofs import MAX_RESTORATIONS, MAX_STATEMENT, RestoredStatement
from secure_msg.codec.schema import from_bytes
from secure_msg.codec.statement import unverified_payload
from secure_msg.crypto.random import RandomBytes
from secure_msg.ledger.restored import sign_restored
from secure_msg.store.durable import Disk
from secure_msg.store.logfiles import LogHead
from secure_msg.store.serverkeys import ServerKeys

MARKER = "restored"
ID_SIZE = 16


class Restorations:
    """`storage/restored` and `storage/server/restored/`; used by one thread at a time."""

    def __init__(self, root: Path, keys: ServerKeys, disk: Disk, random: RandomBytes) -> None:
        self._marker = root / MARKER
        self._folder = root / "server" / "restored"
        self._keys = keys
        self._disk = disk
        self._random = random

    def announced(self) -> bytes | None:
        """The id of the restoration that the marker announces; None when there is no marker.

        An id is put into an empty marker, so that a crash does not announce it twice.
        """
        if not self._marker.exists():
            return None
        text = self._marker.read_text(encoding="ascii", errors="replace").strip()
        known = _id_of(text)
        if known is not None:
            return known
        drawn = self._random(ID_SIZE)
        self._disk.replace(self._marker, drawn.hex().encode() + b"\n")
        return drawn

    def statement(self, identifier: bytes, now: int, log: LogHead, copied: int) -> bytes:
        """What the server says of `log`, to which it was set back."""
        size, root = log.size, log.frontier.root()
        server = self._keys.identity.id
        said = RestoredStatement(server, identifier, now, size, root, copied)
        return sign_restored(self._keys.signing, said)

    def said(self, identifier: bytes, size: int) -> bool:
        """Whether a statement with this id is kept, of a log of `size` leaves."""
        return any(_stated_id(statement) == identifier for _, statement in self.newest(size))

    def keep(self, index: int, statement: bytes) -> None:
        """Make the statement of log leaf `index` durable. Raises OSError."""
        writes = self._disk.write_set()
        writes.make_folder(self._folder)
        writes.sync()
        self._disk.replace(self._folder / str(index), statement)

    def done(self) -> None:
        """The leaf is durable and its statement kept: the marker, if there is one, goes."""
        if self._marker.exists():
            self._disk.remove(self._marker)
            self._disk.sync_folder(self._marker.parent)

    def newest(self, size: int) -> Iterator[tuple[int, bytes]]:
        """(log index, statement) below `size`, the newest first; unchecked, as they lie there."""
        if not self._folder.is_dir():
            return
        names = [one.name for one in self._folder.iterdir() if one.name.isdecimal()]
        numbers = sorted((int(name) for name in names if int(name) < size), reverse=True)
        for number in numbers[:MAX_RESTORATIONS]:
            yield number, (self._folder / str(number)).read_bytes()


def _stated_id(statement: bytes) -> bytes | None:
    """The id in a statement of our own making; None for what is none."""
    try:
        payload = unverified_payload(statement, limit=MAX_STATEMENT)
        return from_bytes(RestoredStatement, payload).id
    except MalformedData:
        return None


def _id_of(text: str) -> bytes | None:
    """The id that a marker holds; None for what is no id."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == ID_SIZE else None
