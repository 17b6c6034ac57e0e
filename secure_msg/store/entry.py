"""One entry of a chain as the store keeps it, and its frame (docs/spec/storage.md, "Chains")."""

from __future__ import annotations

from typing import NamedTuple

from secure_msg.crypto.mac import HmacSha256
from secure_msg.ledger.chain import content_hash, header_bytes
from secure_msg.ledger.merkle import leaf_hash
from secure_msg.ledger.transaction import Damaged

ERASABLE = 1
ERASED = 2
HASH_SIZE = 32
TIME_SIZE = 6
LENGTH_SIZE = 4


class Entry(NamedTuple):
    """`header` is canonical, `leaf` its leaf hash; body None and salt empty once it was erased."""

    sequence: int
    kind: str
    time: int
    erasable: bool
    salt: bytes
    body: bytes | None
    header: bytes
    leaf: bytes
    unique: bytes
    log_index: int


class Frame(NamedTuple):
    """What an entries file holds of an entry. `length` and `content` stand for an erased body."""

    kind: str
    time: int
    erasable: bool
    salt: bytes
    body: bytes | None
    length: int
    content: bytes


def derived_salt(key: HmacSha256, chain: bytes, sequence: int) -> bytes:
    """The salt of an entry that is not erasable, from the server's salt key."""
    return key(chain, sequence.to_bytes(8, "big"))


def new_entry(
    place: tuple[bytes, int],
    kind: str,
    time: int,
    body: bytes,
    salt: bytes,
    *,
    erasable: bool,
    unique: bytes,
    log_index: int,
) -> Entry:
    """The entry at `place` (chain, sequence) of fields that were checked before."""
    chain, sequence = place
    content = content_hash(salt, body)
    header = header_bytes(chain, sequence, kind, time, length=len(body), content=content)
    leaf = leaf_hash(header)
    return Entry(sequence, kind, time, erasable, salt, body, header, leaf, unique, log_index)


def live_frame(kind: str, time: int, *, erasable: bool, salt: bytes, body: bytes) -> Frame:
    return Frame(kind, time, erasable, salt, body, len(body), content_hash(salt, body))


def entry_of(
    chain: bytes, sequence: int, frame: Frame, *, unique: bytes = b"", log_index: int = 0
) -> Entry:
    """Rebuild the canonical header and its leaf hash."""
    header = header_bytes(
        chain, sequence, frame.kind, frame.time, length=frame.length, content=frame.content
    )
    return Entry(
        sequence,
        frame.kind,
        frame.time,
        frame.erasable,
        frame.salt,
        frame.body,
        header,
        leaf_hash(header),
        unique,
        log_index,
    )


def frame_bytes(entry: Entry) -> bytes:
    """The frame of a live entry."""
    kind = entry.kind.encode()
    head = bytes((ERASABLE if entry.erasable else 0, len(kind))) + kind
    head += entry.time.to_bytes(TIME_SIZE, "big")
    if entry.erasable:
        head += entry.salt
    return head + (entry.body or b"")


def erased_frame(frame: Frame) -> bytes:
    """The frame of an entry without its salt and body."""
    kind = frame.kind.encode()
    head = bytes((ERASABLE | ERASED, len(kind))) + kind + frame.time.to_bytes(TIME_SIZE, "big")
    return head + frame.length.to_bytes(LENGTH_SIZE, "big") + frame.content


def read_frame(data: bytes, salt: bytes) -> Frame:
    """Parse a frame; `salt` is the derived one, used when none is stored. Raises Damaged."""
    kind_end = 2 + (data[1] if len(data) >= 2 else 0)
    rest = kind_end + TIME_SIZE
    if len(data) < rest or data[0] not in (0, ERASABLE, ERASABLE | ERASED):
        raise Damaged("an entry's frame is malformed")
    kind_bytes = data[2:kind_end]
    if not kind_bytes.isascii():
        raise Damaged("an entry's kind is malformed")
    kind, time = kind_bytes.decode("ascii"), int.from_bytes(data[kind_end:rest], "big")
    if data[0] & ERASED:
        if len(data) != rest + LENGTH_SIZE + HASH_SIZE:
            raise Damaged("an erased entry's frame is malformed")
        length = int.from_bytes(data[rest : rest + LENGTH_SIZE], "big")
        return Frame(kind, time, True, b"", None, length, data[rest + LENGTH_SIZE :])
    if not data[0] & ERASABLE:
        return live_frame(kind, time, erasable=False, salt=salt, body=data[rest:])
    if len(data) < rest + HASH_SIZE:
        raise Damaged("an erasable entry's frame is malformed")
    stored = data[rest : rest + HASH_SIZE]
    return live_frame(kind, time, erasable=True, salt=stored, body=data[rest + HASH_SIZE :])
