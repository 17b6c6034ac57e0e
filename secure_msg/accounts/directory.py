"""Who is here: an index over the account chains' labels, built at start and kept in memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

from secure_msg.accounts.names import skeleton_of
from secure_msg.ledger.transaction import Store

MIN_QUERY = 2
MAX_FOUND = 20


@dataclass(frozen=True, slots=True, order=True)
class Person:
    skeleton: str
    account: bytes
    name: str


class Directory:
    """Memory: about 300 bytes an account."""

    def __init__(self, store: Store) -> None:
        self._names: dict[bytes, str] = {}
        self._sorted: list[Person] = []
        self._accounts: list[bytes] = []
        for account, label in store.chains("account"):
            self._note(account, label.decode("utf-8"))
        self._sorted.sort()

    def add(self, account: bytes, name: str) -> None:
        """After the registration was committed."""
        if account not in self._names:
            person = self._note(account, name)
            self._sorted.pop()
            insort(self._sorted, person)

    def name(self, account: bytes) -> str | None:
        return self._names.get(account)

    def search(self, query: str) -> tuple[Person, ...]:
        """At most 20 people whose skeleton begins like the query's, from 2 characters on."""
        if len(query.strip()) < MIN_QUERY:
            return ()
        prefix = skeleton_of(query)
        found = []
        start = bisect_left(self._sorted, Person(prefix, b"", ""))
        for person in self._sorted[start : start + MAX_FOUND]:
            if not person.skeleton.startswith(prefix):
                break
            found.append(person)
        return tuple(found)

    def some_account(self, choice: bytes) -> bytes | None:
        """One account, picked by `choice`; None when there is none."""
        if not self._accounts:
            return None
        return self._accounts[int.from_bytes(choice[:8], "big") % len(self._accounts)]

    def __len__(self) -> int:
        return len(self._accounts)

    def _note(self, account: bytes, name: str) -> Person:
        person = Person(skeleton_of(name), account, name)
        self._names[account] = name
        self._accounts.append(account)
        self._sorted.append(person)
        return person
