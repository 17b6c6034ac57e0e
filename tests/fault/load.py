"""Clients that keep what a store acknowledged, while the store is killed under them."""

from __future__ import annotations

import random
import threading

from secure_msg.ledger.transaction import Append, Busy, Put, Register, Transaction
from tests.sim.storeprocess import Line, Lost
from tests.store.contract import ident

SHOWN = 16
"""So many bytes of a body a store process tells; they name the message."""


class LoadClient:
    """One sender: a thread, a private file and a register of its own, one request at a time.

    What was asked and not answered is asked again after a kill, under the same id.
    """

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self._rng = rng
        self.chain = ident(f"thread of {name}")
        self.account = ident(f"account of {name}")
        self.path = ident(f"file of {name}")
        self.acknowledged: dict[int, bytes] = {}
        self.asked: bytes | None = None
        self.version = 0
        self.blob = b""
        self.register = b""
        self.failed: Exception | None = None

    def run(self, address: str) -> None:
        """Send until the store is gone. What should not happen is kept in `failed`."""
        try:
            line = Line(address)
        except Lost:
            return
        try:
            while True:
                self._send(line)
        except Lost:
            return
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            self.failed = error
        finally:
            line.close()

    def _send(self, line: Line) -> None:
        if self.asked is None:
            self.asked = self._rng.randbytes(SHOWN) + bytes(self._rng.randrange(3000))
        try:
            places, _, _, _ = line.ask("commit", self._transaction(self.asked))
        except Busy:
            return
        [(sequence, _)] = places
        self.acknowledged[sequence] = self.asked
        self.version, self.blob = self.version + 1, self.asked
        self.register = ident(self.asked.hex())
        self.asked = None

    def _transaction(self, body: bytes) -> Transaction:
        first = not self.acknowledged
        append = Append(
            self.chain,
            "opened" if first else "message",
            body,
            erasable=not first,
            unique=body[:SHOWN],
            seen=max(self.acknowledged, default=0),
        )
        put = Put(self.account, self.path, self.version, body)
        register = Register(self.chain, self.register, ident(body.hex()))
        return Transaction((append,), (put,), (register,))

    def check(self, line: Line) -> None:
        """All that was acknowledged is there, once; beside it at most what was asked last."""
        stored = line.ask("chain", self.chain, 0)
        for sequence, body in self.acknowledged.items():
            assert stored[sequence] == body[:SHOWN], f"{self.name} lost message {sequence}"
        assert len(set(stored)) == len(stored), f"{self.name} finds a message twice"
        more = [one for one in stored[len(self.acknowledged) :]]
        assert more in ([], [(self.asked or b"")[:SHOWN]]), f"{self.name} finds what nobody sent"
        found = line.ask("file", self.account, self.path)
        unknown = (self.version + 1, self.asked)
        assert found in ((self.version, self.blob), unknown), f"{self.name} lost its file"
        assert bool(more) == (found == unknown), f"{self.name} finds half of a request"


def run_all(clients: list[LoadClient], address: str) -> list[threading.Thread]:
    threads = [threading.Thread(target=one.run, args=(address,)) for one in clients]
    for thread in threads:
        thread.start()
    return threads


def wait_all(clients: list[LoadClient], threads: list[threading.Thread]) -> None:
    """Until all have lost the store; raises what one of them met instead."""
    for thread in threads:
        thread.join()
    for client in clients:
        if client.failed is not None:
            raise client.failed
