"""Where everything lies in a storage folder (docs/spec/storage.md, "Folder")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from secure_msg.ledger.transaction import StoreError
from secure_msg.store.chainfiles import ChainFiles, ChainKeys
from secure_msg.store.durable import Disk
from secure_msg.store.state import PUT, Chain

CURRENT = 2


def format_bytes(number: int) -> bytes:
    """What the file `format` holds."""
    return b"secure-msg storage %d\n" % number


FORMAT = format_bytes(CURRENT)
FOLDERS = {"account": "accounts", "opened": "threads"}

_FORMAT = re.compile(rb"secure-msg storage ([1-9][0-9]{0,5})\n")
_BLOB = re.compile(r"([0-9a-f]{64})\.([1-9][0-9]{0,15})")
_INDEX = re.compile(r"index\.([1-9][0-9]{0,15})")


class WrongFormat(StoreError):
    """The folder is not a storage folder of this version."""


def is_format(data: bytes) -> bool:
    """Whether a `format` file of this content names any format at all."""
    return _FORMAT.fullmatch(data) is not None


def named_format(path: Path) -> int:
    """The number in a `format` file, of this program or an older one. Raises WrongFormat."""
    found = _FORMAT.fullmatch(path.read_bytes())
    if found is None:
        raise WrongFormat(f"{path} names no format of a storage folder")
    if int(found[1]) > CURRENT:
        raise WrongFormat(
            f"{path} names format {int(found[1])}, which a newer program made; "
            f"this one knows formats up to {CURRENT}"
        )
    return int(found[1])


def folder_name(identifier: bytes) -> str:
    return identifier[:16].hex()


@dataclass(frozen=True, slots=True)
class Layout:
    root: Path
    keys: ChainKeys

    @property
    def format(self) -> Path:
        return self.root / "format"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def checkpoint(self) -> Path:
        return self.ledger / "checkpoint"

    @property
    def heads(self) -> tuple[Path, Path]:
        return self.ledger / "heads", self.ledger / "heads.copy"

    def prepare(self, disk: Disk) -> None:
        """Make what is missing. Raises WrongFormat, OSError."""
        writes = disk.write_set()
        for folder in (
            self.journal,
            self.ledger,
            self.root / "local",
            *(self.root / "general" / name for name in ("accounts", "threads", "files")),
        ):
            writes.make_folder(folder)
        writes.sync()
        if not self.format.exists():
            disk.replace(self.format, FORMAT)
        self.check_format()

    def check_format(self) -> None:
        """Raises WrongFormat, OSError."""
        found = named_format(self.format)
        if found != CURRENT:
            raise WrongFormat(
                f"{self.format} names format {found}, and this program needs {CURRENT}: "
                "a start of the server brings it there"
            )

    def chain(self, chain: Chain) -> Path:
        if chain.begun == PUT:
            return self.private(chain.owner or b"") / "chain"
        return self.root / "general" / FOLDERS[chain.begun] / folder_name(chain.id)

    def chain_files(self, chain: Chain) -> ChainFiles:
        return ChainFiles(self.chain(chain), chain.id, self.keys)

    def private(self, account: bytes) -> Path:
        return self.root / "local" / folder_name(account)

    def blob(self, account: bytes, path: bytes, version: int) -> Path:
        return self.private(account) / f"{path.hex()}.{version}"

    def blobs(self, account: bytes) -> Iterator[tuple[Path, bytes, int]]:
        """(file, path, version) of each blob that lies in an account's folder."""
        for file in _files(self.private(account)):
            found = _BLOB.fullmatch(file.name)
            if found is not None:
                yield file, bytes.fromhex(found[1]), int(found[2])

    def index(self, account: bytes, size: int) -> Path:
        return self.private(account) / f"index.{size}"

    def indices(self, account: bytes) -> list[tuple[int, Path]]:
        """(chain size, file) of each index, the newest first."""
        found = []
        for file in _files(self.private(account)):
            match = _INDEX.fullmatch(file.name)
            if match is not None:
                found.append((int(match[1]), file))
        return sorted(found, reverse=True)


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
