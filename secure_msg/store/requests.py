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
    operations = (
        *transaction.appends,
        *transaction.puts,
        *transaction.registers,
        *transaction.names,
    )
    _require(len(operations) <= MAX_OPERATIONS, TOO_MANY)
    for append in transaction.appends:
        _check_append(append)
    for put in transaction.puts:
        _check_put(put)
    for register in transaction.registers:
        _check_register(register)
    for name in transaction.names:
        _check_name(name)
    size = sum(len(one.body) for one in transaction.appends)
    size += sum(len(one.blob or b"") for one in transaction.puts)
    _require(size <= MAX_BYTES, TOO_LARGE)
    return Request(transaction, size + OPERATION_BYTES * len(operations))


def _check_append(append: Append) -> None:
    _require(len(append.chain) == ID_SIZE, "a chain id has 32 bytes")
    _require(append.kind.isascii() and append.kind.isprintable(), "a kind is printable ASCII")
    _require(1 <= len(append.kind) <= MAX_KIND, KIND_SIZE)
    _require(len(append.body) <= MAX_BODY, BODY_SIZE)
    _require(len(append.label) <= MAX_LABEL, LABEL_SIZE)
    _require(append.seen >= 0, "what was seen is not negative")
    if append.unique is not None:
        fits = len(append.unique) == UNIQUE_SIZE and append.unique != NO_UNIQUE
        _require(fits, "a unique id has 16 bytes, not all of them zero")


def _check_put(put: Put) -> None:
    _require(len(put.account) == ID_SIZE and len(put.path) == ID_SIZE, "ids have 32 bytes")
    _require(put.expected_version >= 0, "a version is not negative")
    _require(len(put.blob or b"") <= MAX_BLOB, BLOB_SIZE)


def _check_register(register: Register) -> None:
    _require(len(register.chain) == ID_SIZE, "a chain id has 32 bytes")
    _require(register.new is None or len(register.new) in (0, 32), "a register has 0 or 32 bytes")


def _check_name(name: NameClaim) -> None:
    _require(len(name.account) == ID_SIZE, "an account id has 32 bytes")
    size = len(name.skeleton.encode("utf-8", "surrogatepass"))
    fits = 1 <= size <= MAX_SKELETON and not any(0xD800 <= ord(c) < 0xE000 for c in name.skeleton)
    _require(fits, f"a skeleton has 1 to {MAX_SKELETON} bytes of UTF-8")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(rule)
