"""One private folder: what its chain names must be there, and each index must say the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from secure_msg.codec.errors import CodecError
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.store.entry import Entry
from secure_msg.store.folders import MAC_SIZE, MAX_INDEX
from secure_msg.store.records import FolderIndex, IndexedFile, PutBody
from secure_msg.store.verify.chains import ChainCheck
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.journal import Kept
from secure_msg.store.verify.mend import Gone, Whole
from secure_msg.store.verify.report import Remedy


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The folder when its chain had the size of an index."""

    root: bytes
    files: dict[bytes, IndexedFile]


class PrivateCheck:
    """Follows the folder's chain, then holds blobs and indices against it."""

    def __init__(self, inspection: Inspection, kept: Kept, account: bytes, size: int) -> None:
        self._inspection = inspection
        self._kept = kept
        self._account = account
        self._size = size
        self._key = inspection.keys.derive("index")
        self._files: dict[bytes, IndexedFile] = {}
        self._indices = dict(inspection.layout.indices(account))
        self._snapshots: dict[int, Snapshot] = {}

    def run(self, chain: ChainCheck) -> None:
        for entry in chain.run():
            self._put(chain, entry)
            if entry.sequence + 1 in self._indices:
                self._snapshots[entry.sequence + 1] = Snapshot(chain.tree.root(), {**self._files})
        if chain.broken:
            self._keep_all()
            return
        for file in self._files.values():
            self._check_blob(chain, file)
        for size, path in self._indices.items():
            self._check_index(size, path)

    def _put(self, chain: ChainCheck, entry: Entry) -> None:
        try:
            body = from_bytes(PutBody, entry.body or b"")
        except CodecError:
            chain.fault(entry, "the body of a put is malformed")
            return
        before = self._files.pop(body.path, None)
        if body.version != (before.version if before else 0) + 1:
            chain.fault(entry, "the put does not follow on the version before it")
        if body.length or body.content != bytes(32):
            self._files[body.path] = IndexedFile(
                body.path, body.version, body.content, body.length, entry.sequence
            )

    def _keep_all(self) -> None:
        """Of a broken chain nobody knows which blobs are too many."""
        known = [path for path, _, _ in self._inspection.layout.blobs(self._account)]
        self._inspection.known.update(known, self._indices.values())

    def _check_blob(self, chain: ChainCheck, file: IndexedFile) -> None:
        path = self._inspection.layout.blob(self._account, file.path, file.version)
        data = self._inspection.read(path)
        self._inspection.report.counts.blobs += 1
        if data is not None and len(data) == file.length and sha256(data) == file.content:
            return
        kept = self._kept.blob(self._account, file)
        what = "the file is missing" if data is None else "it is not what the chain names"
        span = None if data is None else (0, len(data))
        remedy = Remedy.NONE if kept is None else Remedy.JOURNAL
        mend = None if kept is None else Whole(kept)
        self._inspection.damage(
            path, what, remedy, span, chain=chain.identifier, entry=file.sequence, mend=mend
        )

    def _check_index(self, size: int, path: Path) -> None:
        if size > self._size:
            return  # of a flush that did not end: nothing names it
        data = self._inspection.read(path) or b""
        expected, found = self._snapshots[size], self._read_index(data)
        files = {} if found is None else {one.path: one for one in found.files}
        good = found is not None and (found.size, found.root) == (size, expected.root)
        if not good or files != expected.files:
            what = "it does not say what the chain says; the chain is read instead"
            self._inspection.damage(path, what, Remedy.DERIVED, (0, len(data)), mend=Gone())

    def _read_index(self, data: bytes) -> FolderIndex | None:
        mac = hmac_sha256(self._key, self._account, data[MAC_SIZE:])
        if len(data) < MAC_SIZE or not equal(mac, data[:MAC_SIZE]):
            return None
        try:
            return from_bytes(FolderIndex, data[MAC_SIZE:], limit=MAX_INDEX)
        except CodecError:
            return None
