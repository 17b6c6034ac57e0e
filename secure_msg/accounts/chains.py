"""Account chains as verified views, kept in memory and grown by what was appended since."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from secure_msg.accounts.errors import NotFound, StatementRefused
from secure_msg.codec.accounts import KIND_KEYS, KIND_PREKEY, KIND_PREKEY_BATCH
from secure_msg.codec.http import MAX_CHAIN, AccountChain, WireEntry
from secure_msg.ledger.accountchain import (
    AccountView,
    AccountViolation,
    apply_entry,
    open_account,
)
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.transaction import Damaged, Store, StoredEntry

PAGE = 100
MAX_CACHED_BYTES = 16 << 20
ACCOUNT_BYTES, KEYS_BYTES, PREKEY_BYTES, PLACE_BYTES = 4_096, 4_096, 2_048, 256
"""About what a state takes at first, and for each generation of keys, prekey, batch or hand-out."""
OWN_KINDS = (KIND_KEYS, KIND_PREKEY, KIND_PREKEY_BATCH)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a chain, which is served whole: hand-outs, which strangers cause, leave the owner half.

    `own` counts the owner's entries and `handed` the others; `served` are bytes of the bodies that
    everybody gets. A hundred own entries are left for new passwords.
    """

    own: int = MAX_CHAIN // 2
    handed: int = MAX_CHAIN // 2
    served: int = 8 * 1024 * 1024
    passwords: int = 100


@dataclass(frozen=True, slots=True)
class AccountState:
    """A view of the chain's first `size` entries, and the sequence of each kind's newest one.

    `served` counts the bytes of the bodies that are served.
    """

    view: AccountView
    size: int
    newest: dict[str, int]
    served: int

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory."""
        view = self.view
        places = len(view.batches) + len(view.handed)
        keys = KEYS_BYTES * len(view.keys) + PREKEY_BYTES * len(view.prekeys)
        return ACCOUNT_BYTES + keys + PLACE_BYTES * places


class Chains:
    def __init__(self, store: Store, server: bytes, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._store = store
        self._server = server
        self._cached: OrderedDict[bytes, AccountState] = OrderedDict()
        self._weight = 0

    def state(self, account: bytes) -> AccountState:
        """The account's state now. Raises NotFound, Damaged."""
        state = self._cached.get(account)
        size = self._store.head(account).size
        if size == 0:
            raise NotFound
        while state is None or state.size < size:
            start = 0 if state is None else state.size
            page = self._store.entries(account, start, min(PAGE, size - start))
            if not page:
                raise Damaged("an account's chain ends before its head")
            state = self._grown(account, state, page)
        known = self._cached.get(account)
        if known is state:
            self._cached.move_to_end(account)
        elif known is None or known.size <= state.size:
            self._keep(account, state)
        return state

    def check_own(self, account: bytes, appends: Iterable[tuple[str, bytes]]) -> int:
        """The size at which these entries of the owner may follow. Raises StatementRefused."""
        state = self.state(account)
        view = state.view
        more, served = 0, state.served
        for kind, body in appends:
            more += 1
            served += _served_size(kind, body)
            if kind not in OWN_KINDS:
                raise StatementRefused("kind")
            try:
                view = apply_entry(view, kind, body)
            except AccountViolation:
                raise StatementRefused(kind) from None
        own = state.size - len(state.view.handed) + more
        if own > self.bounds.own - self.bounds.passwords or served > self.bounds.served:
            raise StatementRefused("full")
        return state.size

    def require_room(self, account: bytes) -> None:
        """For one more entry about the owner's password. Raises StatementRefused."""
        state = self.state(account)
        if state.size - len(state.view.handed) >= self.bounds.own:
            raise StatementRefused("full")

    def signing_key(self, account: bytes, generation: int) -> bytes | None:
        """The public half of a generation's working key, 1984 bytes."""
        keys = self.state(account).view.generation(generation)
        return None if keys is None else keys.signing

    def entry(self, account: bytes, sequence: int) -> bytes:
        """The body of one entry, which account chains never erase."""
        found = self._store.entries(account, sequence, 1)
        if not found or found[0].body is None:
            raise Damaged("an account's chain misses a body")
        return found[0].body

    def served(self, account: bytes) -> AccountChain:
        """The whole chain with its proof. Raises NotFound."""
        proof = self._store.head_proof(account)
        if proof.size == 0:
            raise NotFound
        entries: list[WireEntry] = []
        while len(entries) < proof.size:
            page = self._store.entries(account, len(entries), min(PAGE, proof.size - len(entries)))
            if not page:
                raise Damaged("an account's chain ends before its head")
            entries.extend(_wire_entry(entry) for entry in page)
        return AccountChain(account, tuple(entries), proof)

    def _grown(
        self, account: bytes, state: AccountState | None, page: tuple[StoredEntry, ...]
    ) -> AccountState:
        for entry in page:
            header = read_header(entry.header)
            if entry.body is None:
                raise Damaged("an account's chain misses a body")
            try:
                if state is None:
                    view = open_account(entry.body, server=self._server, account=account)
                    state = AccountState(view, 1, {header.kind: 0}, len(entry.body))
                else:
                    state = AccountState(
                        apply_entry(state.view, header.kind, entry.body),
                        state.size + 1,
                        {**state.newest, header.kind: header.sequence},
                        state.served + _served_size(header.kind, entry.body),
                    )
            except AccountViolation as error:
                raise Damaged(f"an account's chain breaks a rule: {error.rule}") from None
        if state is None:
            raise Damaged("an account's chain is empty")
        return state

    def _keep(self, account: bytes, state: AccountState) -> None:
        known = self._cached.get(account)
        self._weight += state.weight - (known.weight if known else 0)
        self._cached[account] = state
        self._cached.move_to_end(account)
        while self._weight > MAX_CACHED_BYTES and len(self._cached) > 1:
            _, oldest = self._cached.popitem(last=False)
            self._weight -= oldest.weight


def _served_size(kind: str, body: bytes) -> int:
    return 0 if kind == KIND_PREKEY_BATCH else len(body)


def _wire_entry(entry: StoredEntry) -> WireEntry:
    """Batches travel without their body: 51 KiB that only a hand-out needs."""
    batch = read_header(entry.header).kind == KIND_PREKEY_BATCH
    return WireEntry(entry.header, entry.salt, None if batch else entry.body)
