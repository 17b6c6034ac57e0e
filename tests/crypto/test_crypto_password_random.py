"""Argon2id and the sources of random bytes."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from secure_msg.crypto.errors import InvalidParameter
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.mac import hmac_sha512
from secure_msg.crypto.password import argon2id
from secure_msg.crypto.random import SeededRandom, system_random
from tests.crypto.vector_files import load_flat, load_object, unhex


def test_library_argon2id_rfc9106() -> None:
    """The RFC's example uses a secret and associated data, which the product does not."""
    cases = load_flat(
        "kdf/rfc9106_argon2id.json",
        count=1,
        case="password salt secret ad memory_kib iterations lanes length tag",
        top="note cases",
    )
    for case in cases:
        derivation = Argon2id(
            salt=unhex(case["salt"]),
            length=case["length"],
            iterations=case["iterations"],
            lanes=case["lanes"],
            memory_cost=case["memory_kib"],
            ad=unhex(case["ad"]),
            secret=unhex(case["secret"]),
        )
        assert derivation.derive(unhex(case["password"])) == unhex(case["tag"])


# From the tests of the reference implementation (phc-winner-argon2, src/test.c, version 0x13).
REFERENCE = [
    (65536, 2, 1, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"),
    (256, 2, 1, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
    (256, 2, 2, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"),
]


@pytest.mark.parametrize(("memory_kib", "passes", "lanes", "expected"), REFERENCE)
def test_argon2id_reference(memory_kib: int, passes: int, lanes: int, expected: str) -> None:
    derived = argon2id(
        b"password", b"somesalt", memory_kib=memory_kib, passes=passes, lanes=lanes, length=32
    )
    assert derived.hex() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"salt": b"7 bytes"},
        {"memory_kib": 7},
        {"lanes": 2, "memory_kib": 15},
        {"lanes": 0},
        {"lanes": 2**24},
        {"passes": 0},
        {"length": 3},
        {"length": 2**32},
    ],
    ids=str,
)
def test_argon2id_out_of_range(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "salt": b"somesalt",
        "memory_kib": 8,
        "passes": 1,
        "lanes": 1,
        "length": 4,
    }
    assert len(argon2id(b"password", **good)) == 4
    with pytest.raises(InvalidParameter):
        argon2id(b"password", **(good | change))


def test_system_random_has_the_length_and_differs() -> None:
    assert [len(system_random(size)) for size in (0, 1, 32)] == [0, 1, 32]
    assert system_random(32) != system_random(32)
    with pytest.raises(InvalidParameter):
        system_random(-1)


def test_seeded_random_accumulated() -> None:
    vector = load_object("project/seeded_random.json", keys="seed length sha256")
    stream = SeededRandom(unhex(vector["seed"]))(vector["length"])
    assert len(stream) == vector["length"] == 10000
    assert sha256(stream).hex() == vector["sha256"]


def test_seeded_random_is_one_stream_however_it_is_cut() -> None:
    whole = SeededRandom(b"seed")(300)
    assert whole[:64] == hmac_sha512(b"seed", bytes(8))
    assert whole[64:128] == hmac_sha512(b"seed", bytes(7) + b"\x01")
    cut = SeededRandom(b"seed")
    assert b"".join(cut(size) for size in (0, 1, 63, 64, 65, 0, 107)) == whole
    assert SeededRandom(b"other")(300) != whole
    with pytest.raises(InvalidParameter):
        cut(-1)
