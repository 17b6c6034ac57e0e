"""The server's identity and secrets, made once and kept sealed (docs/spec/storage.md)."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from secure_msg.codec.errors import MalformedData
from secure_msg.codec.schema import Fixed, Text, from_bytes, record, to_bytes
from secure_msg.crypto.aead import AES_256_GCM
from secure_msg.crypto.errors import DecryptionFailed
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.kdf import hkdf_sha512
from secure_msg.crypto.password import argon2id
from secure_msg.crypto.random import RandomBytes
from secure_msg.crypto.signature import ED25519, HYBRID, ML_DSA_65, SigningKey
from secure_msg.ledger.checkpoint import sign_checkpoint
from secure_msg.ledger.transaction import StoreError
from secure_msg.store.durable import Disk
from secure_msg.store.lock import FolderLock
from secure_msg.store.records import SealedKeys

VERSION = 1
KEY_FILE, PASSPHRASE = 0, 1
MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 1
MAX_MEMORY_KIB, MAX_PASSES = 1 << 20, 16
HEAD_SIZE = 1 + 1 + 16 + 4 + 4 + 1
NONCE_SIZE = 12
MAX_SEALED = 8192


class KeysRefused(StoreError):
    """The server's keys cannot or must not be opened; the text is for the operator."""


@record
@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What clients pin: origin, Ed25519+ML-DSA-65 public key, salt of the names' labels."""

    origin: Annotated[str, Text(255, 1)]
    public: Annotated[bytes, Fixed(1984)]
    name_salt: Annotated[bytes, Fixed(32)]

    @property
    def id(self) -> bytes:
        return server_id(self.public)


def server_id(public: bytes) -> bytes:
    return sha256(b"securemsg/server-id/1", public)


class ServerKeys:
    """`signing` is for statements (Ed25519+ML-DSA-65)."""

    def __init__(self, sealed: SealedKeys) -> None:
        self.identity = from_bytes(ServerIdentity, sealed.identity)
        self.signing: SigningKey = HYBRID.generate(sealed.signing)
        self._ed25519 = ED25519.generate(sealed.signing[:32])
        self._ml_dsa_65 = ML_DSA_65.generate(sealed.signing[32:])
        self._master = sealed.master
        if self.signing.public != self.identity.public:
            raise KeysRefused("server/keys holds an identity that is not its own")

    def derive(self, label: str) -> bytes:
        """The 32-byte secret of one purpose."""
        return _derive(self._master, label)

    def checkpoint(self, size: int, root: bytes) -> bytes:
        """The signed note for a log of `size` leaves."""
        return sign_checkpoint(
            self.identity.origin, size, root, ed25519=self._ed25519, ml_dsa_65=self._ml_dsa_65
        )


def open_or_create(
    storage: Path,
    passphrase: str | None,
    random: RandomBytes,
    *,
    origin: str | None = None,
    disk: Disk | None = None,
) -> ServerKeys:
    """The keys of `storage`, made when there are none. Raises KeysRefused, InUse, OSError.

    `origin` counts at the making only.
    """
    disk = disk or Disk()
    folder = storage / "server"
    writes = disk.write_set()
    writes.make_folder(folder)
    writes.sync()
    if not (folder / "keys").exists():
        if (folder / "identity").exists():
            raise KeysRefused(
                "server/identity is there but server/keys is not: put the keys back from a backup; "
                "without them nobody can trust this server's ledger again"
            )
        lock = FolderLock(storage)
        try:
            _create(folder, passphrase, random, origin, disk)
        finally:
            lock.release()
    sealed = _unseal(folder, passphrase)
    _check_identity(folder, sealed.identity, disk)
    return ServerKeys(sealed)


def open_keys(storage: Path, passphrase: str | None) -> ServerKeys:
    """The keys of `storage` as they are; nothing is made. Raises KeysRefused, OSError."""
    return ServerKeys(_unseal(storage / "server", passphrase))


def sealing_mode(storage: Path) -> int:
    """KEY_FILE or PASSPHRASE. Raises KeysRefused, OSError."""
    return _sealed_bytes(storage / "server")[1]


def _derive(master: bytes, label: str) -> bytes:
    info = b"securemsg/server/1/" + label.encode("ascii")
    return hkdf_sha512(master, salt=b"", info=info, length=32)


def _create(
    folder: Path, passphrase: str | None, random: RandomBytes, origin: str | None, disk: Disk
) -> None:
    signing, master = random(64), random(32)
    public = HYBRID.generate(signing).public
    name = origin or f"secure-msg/{server_id(public)[:16].hex()}"
    identity = to_bytes(ServerIdentity(name, public, _derive(master, "name-salt")))
    if passphrase is None:
        if not (folder / "seal.key").exists():
            disk.replace(folder / "seal.key", random(32))
        head = _head(KEY_FILE, random(16), 0, 0, 0)
    else:
        head = _head(PASSPHRASE, random(16), MEMORY_KIB, PASSES, LANES)
    key = _sealing_key(folder, head, passphrase)
    nonce = random(NONCE_SIZE)
    ad = head + nonce
    sealed = AES_256_GCM.seal(key, nonce, to_bytes(SealedKeys(identity, signing, master)), ad)
    disk.replace(folder / "keys", ad + sealed)


def _head(mode: int, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    costs = memory_kib.to_bytes(4, "big") + passes.to_bytes(4, "big") + bytes((lanes,))
    return bytes((VERSION, mode)) + salt + costs


def _sealed_bytes(folder: Path) -> bytes:
    try:
        data = (folder / "keys").read_bytes()
    except FileNotFoundError:
        raise KeysRefused("server/keys is missing: put it back from a backup") from None
    whole = HEAD_SIZE + NONCE_SIZE < len(data) <= MAX_SEALED and data[0] == VERSION
    if not (whole and _known_sealing(data)):
        raise KeysRefused("server/keys is damaged or of another version")
    return data


def _known_sealing(head: bytes) -> bool:
    """Whether a key can be made as the head says, at no more than the largest costs."""
    mode, (memory_kib, passes, lanes) = head[1], _costs(head)
    if mode == PASSPHRASE:
        return 8 * lanes <= memory_kib <= MAX_MEMORY_KIB and 1 <= passes <= MAX_PASSES and lanes > 0
    return mode == KEY_FILE and (memory_kib, passes, lanes) == (0, 0, 0)


def _costs(head: bytes) -> tuple[int, int, int]:
    """Memory in KiB, passes, lanes."""
    return int.from_bytes(head[18:22], "big"), int.from_bytes(head[22:26], "big"), head[26]


def _unseal(folder: Path, passphrase: str | None) -> SealedKeys:
    data, body = _sealed_bytes(folder), HEAD_SIZE + NONCE_SIZE
    key = _sealing_key(folder, data[:HEAD_SIZE], passphrase)
    try:
        opened = AES_256_GCM.open(key, data[HEAD_SIZE:body], data[body:], data[:body])
        return from_bytes(SealedKeys, opened)
    except (DecryptionFailed, MalformedData):
        what = "the passphrase is wrong" if data[1] == PASSPHRASE else "server/seal.key is another"
        raise KeysRefused(f"server/keys does not open: {what}, or the file is damaged") from None


def _sealing_key(folder: Path, head: bytes, passphrase: str | None) -> bytes:
    mode, salt = head[1], head[2:18]
    if mode == KEY_FILE:
        return hkdf_sha512(_seal_file(folder), salt=salt, info=b"securemsg/seal/1", length=32)
    memory_kib, passes, lanes = _costs(head)
    if passphrase is None:
        raise KeysRefused("server/keys is sealed with a passphrase, and none was given")
    return argon2id(
        passphrase.encode(), salt, memory_kib=memory_kib, passes=passes, lanes=lanes, length=32
    )


def _seal_file(folder: Path) -> bytes:
    path = folder / "seal.key"
    if not path.exists():
        raise KeysRefused("server/seal.key is missing; without it server/keys cannot be opened")
    if stat.S_IMODE(path.stat().st_mode) & 0o077 and hasattr(path.stat(), "st_blocks"):
        raise KeysRefused("server/seal.key can be read by others: set its mode to 0600 (chmod 600)")
    secret = path.read_bytes()
    if len(secret) != 32:
        raise KeysRefused("server/seal.key is damaged: it has not 32 bytes")
    return secret


def _check_identity(folder: Path, identity: bytes, disk: Disk) -> None:
    path = folder / "identity"
    if not path.exists():
        disk.replace(path, identity)
    elif path.read_bytes() != identity:
        raise KeysRefused("server/identity is not the one that server/keys belongs to")
