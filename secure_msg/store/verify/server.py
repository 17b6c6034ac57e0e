"""The folder's format and the server's own files."""

from __future__ import annotations

from collections.abc import Mapping

from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.store import hold
from secure_msg.store.layout import FORMAT, is_format
from secure_msg.store.records import Batch
from secure_msg.store.restorations import MARKER
from secure_msg.store.serverkeys import KEY_FILE, KeysRefused, open_keys, sealing_mode
from secure_msg.store.verify.inspection import Inspection
from secure_msg.store.verify.mend import Whole
from secure_msg.store.verify.report import Remedy


def check_format(inspection: Inspection) -> None:
    """Raises WrongFormat for a folder of another format, whose rules are others."""
    path = inspection.root / "format"
    data = inspection.read(path)
    if data is None or not is_format(data):
        what = "it is missing" if data is None else "it names no format"
        span = (0, len(data or b""))
        inspection.damage(path, what, Remedy.DERIVED, span, mend=Whole(FORMAT))
    else:
        inspection.layout.check_format()


def check_server(inspection: Inspection, passphrase: str | None) -> None:
    """Identity, and the sealed keys as far as they can be opened here."""
    folder = inspection.root / "server"
    identity, sealed = folder / "identity", to_bytes(inspection.keys.identity)
    data = inspection.read(identity)
    if data != sealed:
        what = "it is missing" if data is None else "it is not the one that was sealed"
        inspection.damage(identity, what, Remedy.DERIVED, mend=Whole(sealed))
    inspection.known |= {folder / "keys", inspection.root / "lock", inspection.root / hold.NAME}
    try:
        mode = sealing_mode(inspection.root)
        if mode == KEY_FILE:
            inspection.known.add(folder / "seal.key")
        elif passphrase is None:
            inspection.note(folder / "keys", "not opened: no passphrase was given")
            return
        if open_keys(inspection.root, passphrase).identity != inspection.keys.identity:
            inspection.damage(folder / "keys", "these are another server's keys", Remedy.NONE)
    except KeysRefused as refused:
        inspection.damage(folder / "keys", str(refused), Remedy.NONE)


def check_restored(
    inspection: Inspection, hashes: Mapping[int, bytes], batches: Mapping[int, Batch]
) -> None:
    """The statement of each restored leaf; those of the journal's tail are made by the start."""
    inspection.known.add(inspection.root / MARKER)
    folder = inspection.root / "server" / "restored"
    for index, expected in hashes.items():
        path = folder / str(index)
        data = inspection.read(path)
        if data is not None and sha256(data) == expected:
            continue
        batch = batches.get(index)
        kept = None if batch is None else batch.restored
        what = "it is missing" if data is None else "it is not what the log leaf names"
        if kept is not None and sha256(kept) == expected:
            inspection.damage(path, what, Remedy.JOURNAL, mend=Whole(kept))
        else:
            inspection.damage(path, what, Remedy.NONE)
    for index, batch in batches.items():
        if batch.restored is not None:
            inspection.known.add(folder / str(index))
