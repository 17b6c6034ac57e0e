"""The thread that follows the commits of whichever process sequences."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import psycopg

from secure_msg.ledger.transaction import Busy, StoreError
from secure_msg.store.postgres.database import Database
from secure_msg.store.postgres.desk import Desk
from secure_msg.store.postgres.replica import Replica
from secure_msg.store.postgres.schema import COMMITS

BEAT_SECONDS = 1.0
PAUSE_SECONDS = 0.3
LOST_SECONDS = 3.0

_log = logging.getLogger(__name__)


class Following:
    """Woken by NOTIFY, and by a beat in case one was lost; the database alone is the truth."""

    def __init__(
        self, database: Database, replica: Replica, desk: Desk, on_lost: Callable[[], None]
    ) -> None:
        self._database = database
        self._replica = replica
        self._desk = desk
        self._on_lost = on_lost
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._heard = monotonic()
        self.connected = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        with suppress(Busy), self._database.pooled() as connection:
            connection.execute(f"NOTIFY {COMMITS}")
        self._thread.join()

    def _run(self) -> None:
        try:
            self._follow()
        finally:
            # Also after a bug: a process that follows nothing says that it is read-only.
            self.connected = False

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                with self._database.session("follower") as session:
                    session.execute(f"LISTEN {COMMITS}")
                    while not self._ending.is_set():
                        self._turn(session)
            except psycopg.Error as error:
                _log.warning("the database cannot be followed: %s", type(error).__name__)
            except StoreError as error:
                _log.critical("what the database has is not taken up: %s", error)
            self._pause()

    def _turn(self, session: psycopg.Connection[tuple[object, ...]]) -> None:
        self._note_gap()
        self._replica.catch_up(session)
        self._desk.collect()
        self.connected = True
        for _ in session.notifies(timeout=BEAT_SECONDS, stop_after=1):
            pass

    def _note_gap(self) -> None:
        """Also a process that was stopped for a while finds out here."""
        now, before = monotonic(), self._heard
        self._heard = now
        if now - before > LOST_SECONDS:
            self._on_lost()

    def _pause(self) -> None:
        self.connected = False
        if not self._ending.is_set():
            self._on_lost()
            self._ending.wait(PAUSE_SECONDS)
