"""What proves a sign-in: hashes of 32-byte keys that the client derived from the password.

The slow derivation (Argon2id) is the client's; here each attempt costs one file and one hash.
"""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.accounts.directory import Directory
from secure_msg.accounts.errors import SignInFailed
from secure_msg.accounts.names import skeleton_of
from secure_msg.accounts.records import Credential
from secure_msg.codec.http import CREDENTIAL_PATH
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import equal, hmac_sha256
from secure_msg.ledger.transaction import Store

MEMORY_KIB = 65_536
PASSES = 3
LANES = 1


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a client needs to derive its keys; for an unknown name it is invented, and stable."""

    skeleton: str
    stored_random: bytes


@dataclass(frozen=True, slots=True)
class StoredCredential:
    version: int
    credential: Credential


def login_hash(login_key: bytes) -> bytes:
    return sha256(b"securemsg/login/1", login_key)


def recovery_hash(recovery_login_key: bytes) -> bytes:
    return sha256(b"securemsg/recovery-login/1", recovery_login_key)


def stored_credential(store: Store, account: bytes) -> StoredCredential | None:
    file = store.private(account, CREDENTIAL_PATH)
    if file is None:
        return None
    return StoredCredential(file.version, from_bytes(Credential, file.blob))


class SignIn:
    """Answers signed-out people, the same way and with the same work for known and unknown names.

    For an unknown name the credential of some real account is read and compared against nothing:
    the disk sees what it sees for a known one.
    """

    def __init__(self, store: Store, directory: Directory, fake_key: bytes) -> None:
        self._store = store
        self._directory = directory
        self._fake_key = fake_key

    def begin(self, typed: str) -> Derivation:
        skeleton = skeleton_of(typed)
        _, found = self._look_up(skeleton)
        fake = self._fake(b"stored-random", skeleton)
        return Derivation(skeleton, fake if found is None else found.stored_random)

    def begin_recovery(self, typed: str) -> bytes:
        """The account id, or one that does not exist."""
        skeleton = skeleton_of(typed)
        account, _ = self._look_up(skeleton)
        fake = self._fake(b"account", skeleton)
        return fake if account is None else account

    def check(self, typed: str, login_key: bytes) -> bytes:
        """The account whose login key this is. Raises SignInFailed."""
        account, found = self._look_up(skeleton_of(typed))
        fake = self._fake(b"login", typed)
        expected = fake if found is None else found.login
        matches = equal(login_hash(login_key), expected)
        if account is None or not matches:
            raise SignInFailed
        return account

    def check_recovery(self, typed: str, recovery_login_key: bytes) -> bytes:
        """The account whose recovery login key this is. Raises SignInFailed."""
        account, found = self._look_up(skeleton_of(typed))
        fake = self._fake(b"recovery", typed)
        expected = fake if found is None or found.recovery is None else found.recovery
        matches = equal(recovery_hash(recovery_login_key), expected)
        if account is None or not matches:
            raise SignInFailed
        return account

    def _look_up(self, skeleton: str) -> tuple[bytes | None, Credential | None]:
        owner = self._store.name_owner(skeleton)
        decoy = self._directory.some_account(self._fake(b"decoy", skeleton))
        read = owner if owner is not None else decoy
        stored = None if read is None else stored_credential(self._store, read)
        if owner is None or stored is None:
            return None, None
        return owner, stored.credential

    def _fake(self, label: bytes, text: str) -> bytes:
        return hmac_sha256(self._fake_key, label, b"\0", text.encode("utf-8", "surrogatepass"))
