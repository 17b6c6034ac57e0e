"""Handing out bundles: each one-time prekey once, by the chain's order (docs/spec/e2ee.md 1)."""

from __future__ import annotations

from secure_msg.accounts.chains import AccountState, Chains
from secure_msg.accounts.errors import NotFound
from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_KEYS,
    KIND_PREKEY,
    KIND_PREKEY_BATCH,
    KIND_PREKEY_HANDED,
    BatchEntry,
    BatchLeaf,
    Bundle,
    OneTime,
    PrekeyHanded,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.merkle import inclusion_path, leaf_hash, root_of
from secure_msg.ledger.transaction import Append, Conflict, Store, Transaction

MAX_TRIES = 8


class Prekeys:
    def __init__(self, store: Store, chains: Chains) -> None:
        self._store = store
        self._chains = chains

    def bundle(self, account: bytes, *, with_one_time: bool) -> Bundle:
        """What begins a session with `account`; without a one-time prekey when none is left.

        The hand-out is committed before the key is answered: a lost answer costs a key, and no key
        is ever given twice. Raises NotFound.
        """
        for _ in range(MAX_TRIES):
            state = self._chains.state(account)
            place = self._next_place(state) if with_one_time else None
            if place is None:
                break
            body = to_bytes(PrekeyHanded(*place))
            append = Append(account, KIND_PREKEY_HANDED, body, expected_size=state.size)
            try:
                self._store.commit(Transaction(appends=(append,)))
            except Conflict:
                continue
            return self._bundle(state, self._one_time(state, place[1]))
        return self._bundle(self._chains.state(account), None)

    def _bundle(self, state: AccountState, one_time: OneTime | None) -> Bundle:
        newest = [state.newest.get(kind) for kind in (KIND_ACCOUNT, KIND_KEYS, KIND_PREKEY)]
        bodies = [
            self._chains.entry(state.view.account, sequence)
            for sequence in newest
            if sequence is not None
        ]
        if len(bodies) != len(newest):
            raise NotFound
        return Bundle(bodies[0], bodies[1], bodies[2], one_time)

    def _one_time(self, state: AccountState, index: int) -> OneTime:
        body = self._chains.entry(state.view.account, state.newest[KIND_PREKEY_BATCH])
        entry = from_bytes(BatchEntry, body)
        batch = len(state.view.batches)
        leaves = [
            leaf_hash(to_bytes(BatchLeaf(batch, at, key))) for at, key in enumerate(entry.keys)
        ]

        def node(level: int, at: int) -> bytes:
            return root_of(leaves[at << level : (at + 1) << level])

        path = inclusion_path(index, len(leaves), node)
        return OneTime(entry.statement, index, entry.keys[index], path)

    def _next_place(self, state: AccountState) -> tuple[int, int] | None:
        """The first unused key of the newest batch.

        Older batches are not handed out: their owner may have dropped the private halves by now.
        """
        handed = state.view.handed
        if not state.view.batches or len(handed) >= self._chains.bounds.handed:
            return None
        newest = state.view.batches[-1]
        for index in range(newest.count):
            if (newest.batch, index) not in handed:
                return newest.batch, index
        return None
