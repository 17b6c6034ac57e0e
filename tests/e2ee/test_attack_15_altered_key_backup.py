"""Attack 15: whoever alters what the vault stores is noticed, whichever byte it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_msg.codec.errors import CodecError
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import accountkeys, state, vault
from secure_msg.e2ee.accountkeys import AccountKeys
from secure_msg.e2ee.errors import AuthenticationFailed, Misuse, ProtocolError, ServerViolation
from secure_msg.e2ee.vault import NewEpoch, Vault
from secure_msg.e2ee.vaultfiles import Contact, Contacts, Settings
from tests.e2ee.world import NOW, THREAD, person

ACCOUNT = b"\x0a" * 32
PERSONAL, RECOVERY = b"\x01" * 32, b"\x02" * 32


def epochs(count: int) -> list[NewEpoch]:
    random = SeededRandom(b"vault")
    made = [vault.new_vault(ACCOUNT, personal_key=PERSONAL, recovery_key=RECOVERY, random=random)]
    while len(made) < count:
        made.append(
            vault.next_epoch(
                made[-1].vault, personal_key=PERSONAL, recovery_key=RECOVERY, random=random
            )
        )
    return made


def sealed(opened: Vault, label: str, plaintext: bytes, version: int = 1) -> bytes:
    return vault.seal_file(opened, label, version=version, plaintext=plaintext, salt=b"\x55" * 32)


def account_keys(opened: Vault) -> AccountKeys:
    secrets = person("alice").secrets
    return accountkeys.seal_account_keys(opened, secrets, SeededRandom(b"nonces"))


def test_the_vault_opens_by_password_and_by_recovery() -> None:
    newest = epochs(3)[-1]
    data = vault.save_wraps(newest.wraps)
    for which, key in (("password", PERSONAL), ("recovery", RECOVERY)):
        opened = vault.open_wraps(data, account=ACCOUNT, which=which, key=key)  # type: ignore[arg-type]
        assert opened == newest.vault
    assert sorted(newest.vault.previous) == [1, 2]
    without = replace(newest.wraps, recovery=None)
    with pytest.raises(AuthenticationFailed):
        vault.open_wraps(vault.save_wraps(without), account=ACCOUNT, which="recovery", key=RECOVERY)
    again = vault.with_recovery(without, newest.vault, b"\x09" * 32, b"\x08" * 32)
    opened = vault.open_wraps(
        vault.save_wraps(again), account=ACCOUNT, which="recovery", key=b"\x09" * 32
    )
    assert opened == newest.vault


def test_attack_15_every_byte_of_the_wraps() -> None:
    data = vault.save_wraps(epochs(2)[-1].wraps)
    recovery = from_bytes(vault.Wraps, data).recovery
    assert recovery is not None
    for at in range(len(data)):
        altered = bytearray(data)
        altered[at] ^= 1
        opened = []
        for which, key in (("password", PERSONAL), ("recovery", RECOVERY)):
            try:
                opened.append(
                    vault.open_wraps(bytes(altered), account=ACCOUNT, which=which, key=key)  # type: ignore[arg-type]
                )
            except ProtocolError:
                continue
        # A flip inside one wrap leaves the other one good; everywhere else neither opens.
        wrap_bytes = 2 * (32 + 48)
        assert len(opened) <= 1, at
        if opened:
            assert opened[0].key == epochs(2)[-1].vault.key
            start = data.index(from_bytes(vault.Wraps, data).password.salt)
            assert start <= at < start + wrap_bytes + 8


def test_attack_15_every_byte_of_a_file() -> None:
    opened = epochs(2)[-1].vault
    blob = sealed(opened, "settings", b"what must not change")
    assert vault.open_file(opened, "settings", version=1, blob=blob) == b"what must not change"
    for at in range(len(blob)):
        altered = bytearray(blob)
        altered[at] ^= 1 << at % 8
        with pytest.raises((AuthenticationFailed, ServerViolation)):
            vault.open_file(opened, "settings", version=1, blob=bytes(altered))
    for wrong in (blob[:-1], blob + b"\x00", b"", blob * 2):
        with pytest.raises(AuthenticationFailed):
            vault.open_file(opened, "settings", version=1, blob=wrong)


def test_attack_15_swapped_files_versions_and_owners() -> None:
    opened = epochs(1)[-1].vault
    blob = sealed(opened, "settings", b"x", version=4)
    for other in (
        lambda: vault.open_file(opened, "contacts", version=4, blob=blob),
        lambda: vault.open_file(opened, "settings", version=3, blob=blob),
        lambda: vault.open_file(
            replace(opened, account=b"\x0b" * 32), "settings", version=4, blob=blob
        ),
    ):
        with pytest.raises(AuthenticationFailed):
            other()


def test_attack_15_every_byte_of_the_key_blobs() -> None:
    opened = epochs(1)[-1].vault
    keys = account_keys(opened)
    secrets = accountkeys.open_account_keys(opened, keys)
    assert secrets.root == person("alice").secrets.root
    newest = keys.generations[0]
    parts = {
        "root/ed": keys.root.ed,
        "root/mldsa": keys.root.mldsa,
        "1/ed": newest.signing.ed,
        "1/mldsa": newest.signing.mldsa,
        "1/x": newest.x,
        "1/kem": newest.kem,
    }
    data = to_bytes(keys)
    for name, blob in parts.items():
        start = data.index(blob)
        for at in range(start, start + len(blob)):
            altered = bytearray(data)
            altered[at] ^= 1
            with pytest.raises(AuthenticationFailed):
                accountkeys.open_account_keys(opened, from_bytes(AccountKeys, bytes(altered)))
        assert name


def test_attack_15_a_key_blob_is_of_its_name_and_account() -> None:
    opened = epochs(1)[-1].vault
    keys = account_keys(opened)
    generation = keys.generations[0]
    swapped = replace(keys, root=generation.signing)
    with pytest.raises(AuthenticationFailed):
        accountkeys.open_account_keys(opened, swapped)
    renumbered = replace(keys, generations=(replace(generation, generation=2),))
    with pytest.raises(AuthenticationFailed):
        accountkeys.open_account_keys(opened, renumbered)
    with pytest.raises(AuthenticationFailed):
        accountkeys.open_account_keys(replace(opened, account=b"\x0b" * 32), keys)


def test_an_epoch_ends_for_the_accounts_files_and_not_for_the_archive() -> None:
    made = epochs(2)
    label = vault.label_archive(THREAD, 0)
    archived = sealed(made[0].vault, label, b"old")
    assert vault.open_file(made[1].vault, label, version=1, blob=archived) == b"old"
    for ended in ("keys", "prekeys", "contacts", "settings"):
        blob = sealed(made[0].vault, ended, b"old")
        with pytest.raises(ServerViolation):
            vault.open_file(made[1].vault, ended, version=1, blob=blob)
    later = sealed(made[1].vault, label, b"new")
    with pytest.raises(AuthenticationFailed):
        vault.open_file(made[0].vault, label, version=1, blob=later)


def test_blob_sizes_are_powers_of_two() -> None:
    opened = epochs(1)[-1].vault
    sizes = {len(sealed(opened, "x", bytes(size))) for size in range(0, 70_000, 331)}
    assert sizes == {1_024 << power for power in range(8)}
    assert len(sealed(opened, "x", bytes(1_048_576 - 57))) == 1_048_576
    with pytest.raises(Misuse):
        sealed(opened, "x", bytes(1_048_576 - 56))


def test_records_of_the_files_survive_their_bytes() -> None:
    contact = Contact(ACCOUNT, "alice", bytes(32), "request", False, THREAD, NOW)
    for record in (Contacts((contact,)), Settings(bytes(32), 3, bytes(32), True, "es", "dark")):
        assert from_bytes(type(record), to_bytes(record)) == record
    fresh = state.new_thread(THREAD, ACCOUNT)
    assert state.load(state.save(fresh)) == fresh
    for broken in (
        replace(fresh, current=b"\x01" * 31),
        replace(fresh, current=b"\x01"),
    ):
        with pytest.raises(CodecError):
            state.load(state.save(broken))
