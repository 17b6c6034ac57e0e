"""All that the store takes from outside of itself, beside the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from secure_msg.crypto.random import RandomBytes
from secure_msg.store.committer import Offload
from secure_msg.store.observer import Observer
from secure_msg.store.serverkeys import ServerKeys

LEASE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outside:
    """`clock` gives ms since 1970 UTC; `offload` runs blocking work elsewhere and waits for it.

    `lease`: seconds of silence after which a sequencer loses its office.
    """

    keys: ServerKeys
    clock: Callable[[], int]
    random: RandomBytes
    offload: Offload
    on_damage: Callable[[str], None] | None
    observer: Observer
    lease: float = LEASE_SECONDS
