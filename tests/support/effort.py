"""How much a suite does: a quick sample in `make test`, all of it in `make fault` and `make sim`.

`EFFORT=full` asks for all. `SEED=<number>` repeats a run; without it each run takes a fresh seed,
which it prints, because a sample that never changes finds nothing new.
"""

from __future__ import annotations

import os
import random


def full() -> bool:
    return os.environ.get("EFFORT") == "full"


def amount(quick: int, whole: int) -> int:
    return whole if full() else quick


def fresh_seed(what: str) -> int:
    """The seed of this run, printed so that a failure can be repeated."""
    given = os.environ.get("SEED")
    seed = int(given) if given else random.SystemRandom().randrange(1 << 32)
    print(f"{what}: SEED={seed}")
    return seed
