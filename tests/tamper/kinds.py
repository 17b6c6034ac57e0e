"""Every kind of stored file, by its path (docs/spec/storage.md, "Folder").

A path that no kind knows fails the suite: a new kind of file comes with the proof that changes of
it are noticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEX = "[0-9a-f]{32}"
CHAIN_FILES = r"(?:leaves|level-[1-9]|entries-\d{6})"
TILE = r"(?:\d+|entries)/(?:x\d{3}/)*\d{3}"


@dataclass(frozen=True, slots=True)
class Kind:
    """`place` stands in what a start says that is refused over such a file; None: none is.

    `named` is what `verify` names in its stead, where the file alone does not tell.
    """

    name: str
    pattern: re.Pattern[str]
    place: str | None = None
    named: str | None = None


def _kind(name: str, pattern: str, place: str | None = None, named: str | None = None) -> Kind:
    return Kind(name, re.compile(pattern), place, named)


KINDS = (
    _kind("format", "format", "format"),
    _kind("lock", "lock"),
    _kind("backup hold", "hold"),
    _kind("restored marker", "restored"),
    _kind("identity", "server/identity", "server/identity"),
    _kind("sealed keys", "server/keys", "server/keys"),
    _kind("sealing key", r"server/seal\.key", "server/", "server/keys"),
    _kind("restored statement", r"server/restored/\d+"),
    _kind("journal", r"journal/\d{8}", "journal/"),
    _kind("account chain", f"general/accounts/{HEX}/{CHAIN_FILES}"),
    _kind("thread chain", f"general/threads/{HEX}/{CHAIN_FILES}"),
    _kind("private chain", f"local/{HEX}/chain/{CHAIN_FILES}"),
    _kind("private file", rf"local/{HEX}/[0-9a-f]{{64}}\.\d+"),
    _kind("private index", rf"local/{HEX}/index\.\d+"),
    _kind("checkpoint", "ledger/checkpoint", "checkpoint"),
    _kind("heads", r"ledger/heads(?:\.copy)?", "ledger/heads"),
    _kind("tile", rf"ledger/tile/{TILE}"),
    _kind("partial tile", rf"ledger/tile/{TILE}\.p/\d+"),
)

TRANSIENT = {"lock", "backup hold", "restored marker"}
"""Kinds whose content means nothing, or that only a folder under way holds."""


class UnknownKind(Exception):
    """A stored file of a kind that this suite has no proof for."""


def kind_of(path: str) -> Kind:
    """Raises UnknownKind."""
    for kind in KINDS:
        if kind.pattern.fullmatch(path):
            return kind
    raise UnknownKind(path)
