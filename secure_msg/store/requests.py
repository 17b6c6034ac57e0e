"""What a transaction may look like at all, before it waits for its turn."""

from __future__ import annotations

from secure_msg.ledger.transaction import Append, NameClaim, Put, Register, Transaction
from secure_msg.store.chainfiles import NO_UNIQUE, UNIQUE_SIZE
from secure_msg.store.records import MAX_BLOB, MAX_BODY, MAX_KIND, MAX_LABEL, MAX_SKELETON
from secure_msg.store.sequencer import Request

ID_SIZE = 32
MAX_OPERATIONS = 1024
MAX_BYTES = 16 << 20
OPERATION_BYTES = 400
"""What an operation counts beside its body, so that a batch's bytes bound its operations too."""

# Made once: every request passes here.
TOO_MANY = f"more than {MAX_OPERATIONS} operations"
TOO_LARGE = f"more than {MAX_BYTES} bytes"
KIND_SIZE = f"a kind has 1 to {MAX_KIND} characters"
BODY_SIZE = f"a body has at most {MAX_BODY} bytes"
LABEL_SIZE = f"a label has at most {MAX_LABEL} bytes"
BLOB_SIZE = f"a blob has at most {MAX_BLOB} bytes"


def checked_request(transaction: Transaction) -> Request:
    """Raises ValueError for what no room should ever ask."""
    appends, puts, registers, names = transaction
    operations = len(appends) + len(puts) + len(registers) + len(names)
    if operations > MAX_OPERATIONS:
        raise ValueError(TOO_MANY)
    size = 0
    for append in appends:
        _check_append(append)
        size += len(append.body)
    for put in puts:
        _check_put(put)
        size += len(put.blob or b"")
    for register in registers:
        _check_register(register)
    for name in names:
        _check_name(name)
    if size > MAX_BYTES:
        raise ValueError(TOO_LARGE)
    return Request(transaction, size + OPERATION_BYTES * operations)


def _check_append(append: Append) -> None:
    if len(append.chain) != ID_SIZE:
        raise ValueError("a chain id has 32 bytes")
    kind, unique = append.kind, append.unique
    if not (kind.isascii() and kind.isprintable()):
        raise ValueError("a kind is printable ASCII")
    if not 1 <= len(kind) <= MAX_KIND:
        raise ValueError(KIND_SIZE)
    if len(append.body) > MAX_BODY:
        raise ValueError(BODY_SIZE)
    if len(append.label) > MAX_LABEL:
        raise ValueError(LABEL_SIZE)
    if append.seen < 0:
        raise ValueError("what was seen is not negative")
    if unique is not None and (len(unique) != UNIQUE_SIZE or unique == NO_UNIQUE):
        raise ValueError("a unique id has 16 bytes, not all of them zero")


def _check_put(put: Put) -> None:
    if len(put.account) != ID_SIZE or len(put.path) != ID_SIZE:
        raise ValueError("ids have 32 bytes")
    if put.expected_version < 0:
        raise ValueError("a version is not negative")
    if len(put.blob or b"") > MAX_BLOB:
        raise ValueError(BLOB_SIZE)


def _check_register(register: Register) -> None:
    if len(register.chain) != ID_SIZE:
        raise ValueError("a chain id has 32 bytes")
    if register.new is not None and len(register.new) not in (0, 32):
        raise ValueError("a register has 0 or 32 bytes")


def _check_name(name: NameClaim) -> None:
    if len(name.account) != ID_SIZE:
        raise ValueError("an account id has 32 bytes")
    size = len(name.skeleton.encode("utf-8", "surrogatepass"))
    lone = any(0xD800 <= ord(one) < 0xE000 for one in name.skeleton)
    if lone or not 1 <= size <= MAX_SKELETON:
        raise ValueError(f"a skeleton has 1 to {MAX_SKELETON} bytes of UTF-8")
