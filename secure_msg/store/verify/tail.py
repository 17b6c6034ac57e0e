"""From the mark to what was signed: the map, the journal's tail, the checkpoint."""

from __future__ import annotations

from secure_msg.crypto.errors import InvalidSignature
from secure_msg.ledger import merkle
from secure_msg.ledger.checkpoint import Checkpoint, verify_checkpoint
from secure_msg.ledger.errors import BadCheckpoint
from secure_msg.ledger.log import read_mapped
from secure_msg.ledger.map import Leaf, SparseMap, chain_label, head_value, name_label, name_value
from secure_msg.ledger.merkle import Frontier
from secure_msg.ledger.transaction import Damaged
from secure_msg.store.heads import FoundHeads
from secure_msg.store.records import Batch
from secure_msg.store.stage import Base, Stage, stage_keys
from secure_msg.store.state import Chain, chain_of
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.mend import Whole
from secure_msg.store.verify.report import Remedy


class TailCheck:
    """The state at the mark, and each batch applied to it as a start would."""

    def __init__(self, inspection: Inspection, found: FoundHeads) -> None:
        self._inspection = inspection
        self._found = found
        self._keys = stage_keys(inspection.keys)
        self._chains: dict[bytes, Chain] = {}
        self._names: dict[str, bytes] = {}
        self._map = SparseMap(self._leaves())
        self._lost = False
        self._log = Frontier(found.mark.log_size, found.mark.frontier)

    def run(self, batches: dict[int, Batch]) -> None:
        self._check_map()
        checkpoint = self._checkpoint()
        self._compare(checkpoint)
        while (batch := batches.get(self._log.size)) is not None:
            if not self._apply(batch):
                return
            self._compare(checkpoint)
        self._inspection.report.log_size = self._log.size
        if self._lost:
            self._sign_again()
        if checkpoint is not None and checkpoint.size > self._log.size:
            what = f"heads and journal end with log size {self._log.size}, "
            what += f"and {checkpoint.size} was signed: the tail is lost"
            self._damage(what, Remedy.NONE)

    def _leaves(self) -> list[Leaf]:
        salt = self._inspection.keys.identity.name_salt
        heads = (
            (chain_label(one.chain), head_value(one.size, Frontier(one.size, one.frontier).root()))
            for one in self._found.heads.values()
        )
        names = (
            (name_label(salt, skeleton), name_value(account))
            for skeleton, account in self._found.names.items()
        )
        return [*heads, *names]

    def _check_map(self) -> None:
        mark = self._found.mark
        if mark.log_size > 1 and read_mapped(mark.leaf).map_root != self._map.root:
            path = self._inspection.layout.heads[0]
            what = "the heads do not lead to the map root in the newest log leaf"
            self._inspection.damage(path, what, Remedy.NONE)

    def _checkpoint(self) -> Checkpoint | None:
        data = self._inspection.read(self._inspection.layout.checkpoint)
        identity = self._inspection.keys.identity
        if data is None:
            if self._log.size:
                self._damage("it is missing", Remedy.DERIVED)
            return None
        try:
            found = verify_checkpoint(data, identity.origin, identity.public)
        except (BadCheckpoint, InvalidSignature):
            self._damage("it does not check", Remedy.DERIVED)
            return None
        if found.size < self._log.size:
            self._damage("it is older than the files", Remedy.DERIVED)
        return found

    def _compare(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None or checkpoint.size != self._log.size:
            return
        if checkpoint.root != self._log.root():
            what = f"the log of size {self._log.size} is not the one that was signed"
            self._damage(what, Remedy.NONE)

    def _apply(self, batch: Batch) -> bool:
        base = Base(self._chain, self._name, lambda _account, _path: None, lambda *_: None)
        stage = Stage(base, self._keys, bytes, self._log.size, batch.time)
        try:
            stage.replay(batch)
        except Damaged as damaged:
            path = self._inspection.layout.journal
            what = f"record {self._log.size} does not apply: {damaged}"
            self._inspection.damage(path, what, Remedy.NONE)
            return False
        leaf, self._map = stage.leaf(self._map)
        self._log = self._log.append(merkle.leaf_hash(leaf))
        self._chains.update((one, staged.chain) for one, staged in stage.chains.items())
        self._names.update(stage.names)
        return True

    def _chain(self, chain: bytes) -> Chain | None:
        record = self._found.heads.get(chain)
        return self._chains.get(chain) or (None if record is None else chain_of(record))

    def _name(self, skeleton: str) -> bytes | None:
        return self._names.get(skeleton) or self._found.names.get(skeleton)

    def _damage(self, what: str, remedy: Remedy) -> None:
        self._inspection.damage(self._inspection.layout.checkpoint, what, remedy)
        self._lost = self._lost or remedy is Remedy.DERIVED

    def _sign_again(self) -> None:
        """The log that was reached is the one that was signed: its checkpoint is made again."""
        checkpoint = self._inspection.keys.checkpoint(self._log.size, self._log.root())
        self._inspection.mends[self._inspection.layout.checkpoint] = [Whole(checkpoint)]
