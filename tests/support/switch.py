"""A proxy of the simplest kind: it passes bytes to the one of several servers that it is set to.

with Switch(one.base) as switch:
    switch.base            # what a browser uses
    switch.turn(two.base)  # open connections end, new ones go there
"""

from __future__ import annotations

from tests.support.relay import Relay, address_of


class Switch(Relay):
    def turn(self, base: str) -> None:
        self._target = address_of(base)
        self._loop.call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
