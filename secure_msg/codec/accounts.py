"""Records on an account's chain, and the bundle that is served of them (e2ee.md section 1).

The payloads of signed statements are records too; their signatures are the codec's statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from secure_msg.codec.schema import Bytes, Choice, Fixed, Many, Maybe, Nested, Text, Uint, record

SUITE: Final = "SM1"

KIND_ACCOUNT = "account"
KIND_KEYS = "keys"
KIND_PREKEY = "prekey"
KIND_PREKEY_BATCH = "prekey-batch"
KIND_PREKEY_HANDED = "prekey-handed"
KIND_CREDENTIAL = "credential"

TYPE_ACCOUNT = "securemsg/account/1"
TYPE_KEYS = "securemsg/keys/1"
TYPE_POSSESSION = "securemsg/possession/1"
TYPE_PREKEY = "securemsg/prekey/1"
TYPE_PREKEY_BATCH = "securemsg/prekey-batch/1"

ID_SIZE = 32
SIGNING_PUBLIC_SIZE = 1984
AGREEMENT_PUBLIC_SIZE = 1600
SIGNATURE_SIZE = 3373
MAX_STATEMENT = 8192
MAX_BATCH = 32
MAX_BATCH_PATH = 5


@record
@dataclass(frozen=True, slots=True)
class AccountStatement:
    """Sequence 0: who this is, on which server, under which root."""

    server: Annotated[bytes, Fixed(ID_SIZE)]
    account: Annotated[bytes, Fixed(ID_SIZE)]
    name: Annotated[str, Text(128, 1)]
    root: Annotated[bytes, Fixed(SIGNING_PUBLIC_SIZE)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class KeysStatement:
    """One generation of working keys, signed by the root."""

    account: Annotated[bytes, Fixed(ID_SIZE)]
    generation: Annotated[int, Uint()]
    signing: Annotated[bytes, Fixed(SIGNING_PUBLIC_SIZE)]
    agreement: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE)]
    suites: Annotated[tuple[str, ...], Many(Text(8, 1), 8, 1)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class KeysEntry:
    """Body of a `keys` entry; `possession` is the working key's own signature over the payload."""

    statement: Annotated[bytes, Bytes(MAX_STATEMENT)]
    possession: Annotated[bytes, Fixed(SIGNATURE_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class PrekeyStatement:
    """A signed prekey: the last resort when no one-time prekey is left."""

    account: Annotated[bytes, Fixed(ID_SIZE)]
    id: Annotated[int, Uint()]
    agreement: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class BatchStatement:
    """A batch of one-time prekeys by the Merkle root over its BatchLeaf encodings."""

    account: Annotated[bytes, Fixed(ID_SIZE)]
    batch: Annotated[int, Uint()]
    count: Annotated[int, Uint(MAX_BATCH)]
    root: Annotated[bytes, Fixed(32)]
    created: Annotated[int, Uint()]


@record
@dataclass(frozen=True, slots=True)
class BatchEntry:
    """Body of a `prekey-batch` entry."""

    statement: Annotated[bytes, Bytes(MAX_STATEMENT)]
    keys: Annotated[tuple[bytes, ...], Many(Fixed(AGREEMENT_PUBLIC_SIZE), MAX_BATCH, 1)]


@record
@dataclass(frozen=True, slots=True)
class BatchLeaf:
    """What is hashed as one leaf of a batch's tree; `index` counts from 0."""

    batch: Annotated[int, Uint()]
    index: Annotated[int, Uint(MAX_BATCH - 1)]
    key: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE)]


@record
@dataclass(frozen=True, slots=True)
class PrekeyHanded:
    """Server event: this one-time prekey was given to somebody."""

    batch: Annotated[int, Uint()]
    index: Annotated[int, Uint(MAX_BATCH - 1)]


@record
@dataclass(frozen=True, slots=True)
class CredentialEvent:
    """Server event: the log-in credential came to be or was replaced."""

    reason: Annotated[
        Literal["created", "changed", "recovered"], Choice("created", "changed", "recovered")
    ]


@record
@dataclass(frozen=True, slots=True)
class OneTime:
    """A one-time prekey with its inclusion path in the signed batch."""

    batch: Annotated[bytes, Bytes(MAX_STATEMENT)]
    index: Annotated[int, Uint(MAX_BATCH - 1)]
    key: Annotated[bytes, Fixed(AGREEMENT_PUBLIC_SIZE)]
    path: Annotated[tuple[bytes, ...], Many(Fixed(32), MAX_BATCH_PATH)]


@record
@dataclass(frozen=True, slots=True)
class Bundle:
    """All that is needed to begin a session with an account; each part is a signed statement."""

    account: Annotated[bytes, Bytes(MAX_STATEMENT)]
    keys: Annotated[bytes, Bytes(MAX_STATEMENT + SIGNATURE_SIZE + 16)]
    prekey: Annotated[bytes, Bytes(MAX_STATEMENT)]
    one_time: Annotated[OneTime | None, Maybe(Nested(OneTime))]
