"""Passwords and recovery codes (the derivations themselves are in the shared scenarios)."""

from __future__ import annotations

import pytest

from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import unlock
from secure_msg.e2ee.errors import Misuse, ServerViolation
from secure_msg.e2ee.unlock import KdfParameters

GIVEN = {"server": b"\x01" * 32, "skeleton": "alice", "stored_random": b"\x02" * 32}


def derive(password: str, **more: object) -> unlock.UnlockKeys:
    given = {**GIVEN, "parameters": KdfParameters(), **more}
    return unlock.derive_unlock(password, **given)  # type: ignore[arg-type]


def test_every_input_changes_both_keys() -> None:
    base = derive("password")
    others = [
        derive("Password"),
        derive("password", server=b"\x03" * 32),
        derive("password", skeleton="bob"),
        derive("password", stored_random=b"\x03" * 32),
        derive("password", parameters=KdfParameters(passes=4)),
        derive("password", second_secret=b"\x04" * 16),
    ]
    assert len({keys.login for keys in (base, *others)}) == 7
    assert len({keys.personal for keys in (base, *others)}) == 7
    assert base.login != base.personal


def test_characters_composed_in_another_way_are_the_same_password() -> None:
    assert derive("p\u00e4ss\ufb01") == derive("pa\u0308ssfi")


@pytest.mark.parametrize(
    "parameters",
    [
        KdfParameters(memory_kib=65_535),
        KdfParameters(memory_kib=1_048_577),
        KdfParameters(passes=2),
        KdfParameters(passes=17),
        KdfParameters(lanes=2),
        KdfParameters(lanes=0),
    ],
)
def test_parameters_outside_the_clients_bounds_are_refused(parameters: KdfParameters) -> None:
    with pytest.raises(ServerViolation):
        unlock.check_parameters(parameters)
    with pytest.raises(ServerViolation):
        derive("password", parameters=parameters)


def test_a_recovery_code_is_read_as_people_type_it() -> None:
    random = SeededRandom(b"codes")
    for _ in range(200):
        text = unlock.new_recovery_code(random)
        groups = text.split("-")
        assert [len(group) for group in groups] == [4] * 8
        code = unlock.read_recovery_code(text)
        typed = text.lower().replace("0", "o").replace("1", "i").replace("-", "  ")
        assert unlock.read_recovery_code(f" {typed}\n") == code
        assert unlock.write_recovery_code(code) == text


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 32, "A" * 33, "Ä" * 32, "0" * 31 + "!"])
def test_what_is_no_recovery_code(text: str) -> None:
    with pytest.raises(Misuse):
        unlock.read_recovery_code(text)


def test_recovery_keys_are_of_one_account() -> None:
    code = bytes(range(20))
    mine, theirs = (
        unlock.recovery_keys(code, b"\x01" * 32),
        unlock.recovery_keys(code, b"\x02" * 32),
    )
    assert len({mine.login, mine.recovery, theirs.login, theirs.recovery}) == 4
