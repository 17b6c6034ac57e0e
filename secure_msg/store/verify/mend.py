"""How a damaged file becomes whole again: what `secure-msg repair` does to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Whole:
    """The file's content in full."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes at an offset; the rest stays."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Only the first `size` bytes stay."""

    size: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The file is not needed."""


Mend: TypeAlias = Whole | Patch | Cut | Gone


def mended(data: bytes, mends: Iterable[Mend]) -> bytes | None:
    """The content after all of `mends`, in their order; None when the file is to go."""
    found: bytearray | None = bytearray(data)
    for mend in mends:
        if isinstance(mend, Gone):
            found = None
        elif isinstance(mend, Whole):
            found = bytearray(mend.data)
        elif found is not None and isinstance(mend, Cut):
            del found[mend.size :]
        elif found is not None and isinstance(mend, Patch):
            found += bytes(max(mend.offset - len(found), 0))
            found[mend.offset : mend.offset + len(mend.data)] = mend.data
    return None if found is None else bytes(found)
