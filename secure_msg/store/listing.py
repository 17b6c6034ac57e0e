"""Which folder is whose: `secure-msg ls`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from secure_msg.store.chainfiles import ChainKeys
from secure_msg.store.durable import Disk
from secure_msg.store.heads import HeadsFile
from secure_msg.store.layout import Layout
from secure_msg.store.records import HeadRecord
from secure_msg.store.serverkeys import ServerKeys
from secure_msg.store.state import chain_of

ID_SIZE = 32


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder relative to the storage folder. `people` are names, or ids of nameless accounts."""

    folder: str
    kind: str
    people: tuple[str, ...]
    entries: int
    bytes: int

    def to_json(self) -> dict[str, object]:
        return {
            "folder": self.folder,
            "kind": self.kind,
            "people": list(self.people),
            "entries": self.entries,
            "bytes": self.bytes,
        }


def list_folder(root: Path, keys: ServerKeys) -> list[Listed]:
    """Accounts, their private folders and the threads, by folder. Raises Damaged, OSError."""
    layout = Layout(root, ChainKeys(keys.derive("rows"), keys.derive("salt")))
    layout.check_format()
    heads = HeadsFile(layout.heads, keys.derive("heads"), Disk())
    found = heads.join(heads.copies())
    names = {
        one.chain: one.label.decode("utf-8", "replace")
        for one in found.heads.values()
        if one.begun == "account"
    }
    listed = [_listed(layout, head, names) for head in found.heads.values()]
    return sorted(listed, key=lambda one: (one.kind, one.people, one.folder))


def _listed(layout: Layout, head: HeadRecord, names: dict[bytes, str]) -> Listed:
    folder = layout.chain(chain_of(head)) if head.owner is None else layout.private(head.owner)
    if head.owner is not None:
        kind, accounts = "private", [head.owner]
    elif head.begun == "account":
        kind, accounts = "account", [head.chain]
    else:
        kind = "thread"
        accounts = [head.label[at : at + ID_SIZE] for at in range(0, len(head.label), ID_SIZE)]
    people = tuple(names.get(one, one.hex()) for one in accounts)
    name = folder.relative_to(layout.root).as_posix()
    return Listed(name, kind, people, head.size, _bytes_of(folder))


def _bytes_of(folder: Path) -> int:
    """Of all files below; one that goes meanwhile does not count."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(here, name).stat().st_size
            except FileNotFoundError:
                continue
    return total
