"""From memory into the files, in the order of docs/spec/storage.md, "Flush"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from secure_msg.ledger.merkle import Node
from secure_msg.ledger.tiles import Tile
from secure_msg.store.chainfiles import ChainFiles
from secure_msg.store.durable import Disk, WriteSet
from secure_msg.store.entry import Entry
from secure_msg.store.folders import Folders
from secure_msg.store.heads import COMPACT_ABOVE, FoundHeads, HeadsFile
from secure_msg.store.layout import Layout
from secure_msg.store.logfiles import LogFiles
from secure_msg.store.records import FolderIndex, HeadRecord, IndexedFile, MarkRecord, NameRecord
from secure_msg.store.state import BlobKey, Chain, PendingBlob, Published, State

LEVEL_BITS = 8


@dataclass(frozen=True, slots=True)
class ChainPart:
    """What of one chain a flush writes."""

    chain: Chain
    entries: list[Entry]
    levels: list[Node]


@dataclass(frozen=True, slots=True)
class DueIndex:
    """A folder's index to write; `older` is the size of the one that it follows (0: none)."""

    chain: Chain
    account: bytes
    files: list[IndexedFile]
    older: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is unflushed at one moment, and the moment's log and checkpoint.

    `before` is the log size of the flush before it.
    """

    before: int
    published: Published
    chains: list[ChainPart]
    names: list[NameRecord]
    blobs: dict[BlobKey, PendingBlob]
    indices: list[DueIndex]
    tiles: list[tuple[Tile, bytes]]


class Flusher:
    """One flush at a time; `take` and `settle` change the state, `write` only the disk."""

    def __init__(
        self,
        *,
        layout: Layout,
        disk: Disk,
        state: State,
        folders: Folders,
        heads: HeadsFile,
        log: LogFiles,
        found: FoundHeads,
    ) -> None:
        self._layout = layout
        self._disk = disk
        self._state = state
        self._folders = folders
        self._heads = heads
        self._log = log
        self._compact_above = max(COMPACT_ABOVE, 2 * found.live_bytes)
        # Folders that an earlier run made, or a write that failed, may not be durable yet.
        self._doubt = True
        self._superseded: set[Path] = set()
        self._swept: set[Path] = set()
        self.log_size = found.mark.log_size

    def take(self) -> Snapshot:
        """What is to be written; from here on newer blobs gather beside these."""
        state = self._state
        with state.lock:
            parts = [self._part(one) for one in state.dirty_chains]
            names = [NameRecord(one, state.names.get(one) or b"") for one in state.dirty_names]
            state.settling, state.blobs = state.blobs, {}
            state.dirty_chains, state.dirty_names = set(), set()
            state.unflushed_bytes = 0
            published = state.published
            # With nothing new there is nothing to write: what the mark names is not touched again.
            grown = published.log.size > self.log_size
            tiles = self._log.tiles(published.log.size) if grown else []
            indices = self._due_indices(parts)
        return Snapshot(self.log_size, published, parts, names, state.settling, indices, tiles)

    def write(self, snapshot: Snapshot) -> int:
        """Steps 2 to 4: afterwards the files have all of the snapshot. Raises OSError.

        The bytes of chains, blobs, indices and tiles that it wrote.
        """
        writes = self._disk.write_set(self._layout.root if self._doubt else None)
        self._doubt = True
        self._write_blobs(writes, snapshot.blobs)
        for part in snapshot.chains:
            self._write_chain(writes, part)
        for due in snapshot.indices:
            self._write_index(writes, due)
        self._log.write(writes, snapshot.tiles)
        writes.sync()
        self._disk.replace(self._layout.checkpoint, snapshot.published.checkpoint)
        self._mark(snapshot)
        self._doubt = False
        return writes.written

    def settle(self, snapshot: Snapshot) -> None:
        """Drop from memory what the files now have."""
        state = self._state
        with state.lock:
            for part in snapshot.chains:
                state.chains.settle(part.chain)
                if part.entries:
                    self._drop(part)
            for name in snapshot.names:
                state.names.settle(name.skeleton, name.account)
            state.settling = {}
        self.log_size = snapshot.published.log.size
        self._log.written(self.log_size)

    def supersede(self, snapshot: Snapshot) -> None:
        """Note the blobs, indices and partial tiles that the snapshot has taken the place of."""
        layout, found = self._layout, self._superseded
        for (account, path), blob in snapshot.blobs.items():
            if blob.replaces:
                found.add(layout.blob(account, path, blob.replaces))
        for due in snapshot.indices:
            if due.older:
                found.add(layout.index(due.account, due.older))
        found.update(self._log.superseded(snapshot.before, snapshot.published.log.size))
        for (account, path), blob in snapshot.blobs.items():
            # After a deletion a path begins with version 1 again: its file may still be noted.
            if blob.blob is not None:
                found.discard(layout.blob(account, path, blob.version))

    def sweep(self, account: bytes, left: Iterable[Path]) -> None:
        """Note the blobs that a crash has left in an account's folder.

        What it had unlinked may come back with the power, when no journal names it any more: the
        folder's names are synced even if nothing is left.
        """
        self._superseded.update(left)
        self._swept.add(self._layout.private(account))

    def clean(self) -> None:
        """Step 5: unlink, durably, what was noted as superseded."""
        writes = self._disk.write_set()
        for path in sorted(self._superseded):
            writes.remove(path)
        for folder in sorted(filter(Path.is_dir, self._swept)):
            writes.keep_names(folder)
        writes.sync()
        self._superseded.clear()
        self._swept.clear()

    def _part(self, chain_id: bytes) -> ChainPart:
        chain = self._state.chains.get(chain_id)
        if chain is None:
            raise LookupError("a chain that changed is not there")
        pending = self._state.pending.get(chain.id)
        if pending is None:
            return ChainPart(chain, [], [])
        return ChainPart(chain, list(pending.entries), list(pending.levels))

    def _drop(self, part: ChainPart) -> None:
        """Forget entries that are in the files."""
        pending = self._state.pending
        left = pending[part.chain.id].without(len(part.entries), len(part.levels))
        if left.entries:
            pending[part.chain.id] = left
        else:
            del pending[part.chain.id]

    def _due_indices(self, parts: Iterable[ChainPart]) -> list[DueIndex]:
        found = []
        for part in parts:
            if part.chain.owner is not None:
                due = self._folders.due(part.chain.owner)
                if due is not None:
                    found.append(DueIndex(part.chain, part.chain.owner, *due))
        return found

    def _write_blobs(self, writes: WriteSet, blobs: dict[BlobKey, PendingBlob]) -> None:
        for (account, path), blob in blobs.items():
            if blob.blob is not None:
                target = self._layout.blob(account, path, blob.version)
                writes.make_folder(target.parent)
                writes.write(target, blob.blob)

    def _write_chain(self, writes: WriteSet, part: ChainPart) -> None:
        if not part.entries:
            return
        files: ChainFiles = self._layout.chain_files(part.chain)
        files.write(writes, part.entries)
        for node in part.levels:
            files.write_level(writes, node.level // LEVEL_BITS, node.index, [node.hash])

    def _write_index(self, writes: WriteSet, due: DueIndex) -> None:
        index = FolderIndex(due.chain.size, due.chain.frontier.root(), tuple(due.files))
        data = self._folders.index_bytes(due.account, index)
        writes.write(self._layout.index(due.account, due.chain.size), data)

    def _mark(self, snapshot: Snapshot) -> None:
        log, time = snapshot.published.log, snapshot.published.time
        mark = MarkRecord(log.size, log.frontier.hashes, log.leaf, log.path, time)
        if self._heads.alike and self._heads.size <= self._compact_above:
            lines = [part.chain.record() for part in snapshot.chains]
            self._heads.append([*lines, *snapshot.names], mark)
        else:
            self._heads.rewrite(self._live(snapshot), mark)
            self._compact_above = max(COMPACT_ABOVE, 2 * self._heads.size)

    def _live(self, snapshot: Snapshot) -> Iterator[HeadRecord | NameRecord]:
        """What the heads file says and what the snapshot adds; the state has gone on since."""
        newer = {part.chain.id: part.chain for part in snapshot.chains}
        for chain in self._state.chains.settled():
            yield newer.pop(chain.id, chain).record()
        for chain in newer.values():
            yield chain.record()
        for skeleton, account in self._state.names.settled():
            yield NameRecord(skeleton, account)
        yield from snapshot.names
