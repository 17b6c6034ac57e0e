"""SHA-2, SHA-3, HMAC, HKDF; PBKDF2 of the library, which the product does not use."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from secure_msg.crypto import hash as digests
from secure_msg.crypto import kdf, mac
from secure_msg.crypto.errors import InvalidParameter
from tests.crypto.vector_files import Case, load_grouped, unhex

# FIPS 180-4 and FIPS 202 example values for "abc".
ABC = [
    (digests.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        digests.sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        digests.sha3_512,
        "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
        "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    ),
]


@pytest.mark.parametrize(("function", "expected"), ABC)
def test_hash_of_abc_in_any_split(function: Callable[..., bytes], expected: str) -> None:
    assert function(b"abc").hex() == expected
    assert function(b"a", b"", b"bc").hex() == expected


def _check_hmac(function: Callable[..., bytes], group: Case, case: Case) -> None:
    key, message, tag = unhex(case["key"]), unhex(case["msg"]), unhex(case["tag"])
    ours = function(key, message)[: group["tagSize"] // 8]
    assert mac.equal(ours, tag) == (case["result"] == "valid"), case["tcId"]
    assert function(key, message[:3], message[3:]) == function(key, message)


def test_hmac_sha256_wycheproof() -> None:
    for group, case in load_grouped("wycheproof/hmac_sha256_test.json"):
        _check_hmac(mac.hmac_sha256, group, case)
        _check_hmac(lambda key, *parts: mac.HmacSha256(key)(*parts), group, case)


def test_hmac_sha512_wycheproof() -> None:
    for group, case in load_grouped("wycheproof/hmac_sha512_test.json"):
        _check_hmac(mac.hmac_sha512, group, case)


def test_equal_compares_content_and_length() -> None:
    assert mac.equal(b"same", b"same")
    assert not mac.equal(b"same", b"samf")
    assert not mac.equal(b"same", b"same\x00")
    assert mac.equal(b"", b"")


def _check_hkdf(function: Callable[..., bytes], case: Case) -> None:
    ikm, salt, info = unhex(case["ikm"]), unhex(case["salt"]), unhex(case["info"])
    if case["result"] == "invalid":
        with pytest.raises(InvalidParameter):
            function(ikm, salt=salt, info=info, length=case["size"])
        return
    okm = function(ikm, salt=salt, info=info, length=case["size"])
    assert okm == unhex(case["okm"]), case["tcId"]


def test_hkdf_sha256_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/hkdf_sha256_test.json"):
        _check_hkdf(kdf.hkdf_sha256, case)


def test_hkdf_sha512_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/hkdf_sha512_test.json"):
        _check_hkdf(kdf.hkdf_sha512, case)


@pytest.mark.parametrize(
    ("function", "longest"), [(kdf.hkdf_sha256, 8160), (kdf.hkdf_sha512, 16320)]
)
def test_hkdf_length_limits(function: Callable[..., bytes], longest: int) -> None:
    assert len(function(b"k", salt=b"", info=b"", length=longest)) == longest
    for length in (-1, 0, longest + 1):
        with pytest.raises(InvalidParameter):
            function(b"k", salt=b"", info=b"", length=length)


def _check_pbkdf2(algorithm: hashes.HashAlgorithm, case: Case) -> None:
    derivation = PBKDF2HMAC(algorithm, case["dkLen"], unhex(case["salt"]), case["iterationCount"])
    derived = derivation.derive(unhex(case["password"]))
    assert (derived == unhex(case["dk"])) == (case["result"] == "valid"), case["tcId"]


def test_library_pbkdf2_sha256_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/pbkdf2_hmacsha256_test.json"):
        _check_pbkdf2(hashes.SHA256(), case)


def test_library_pbkdf2_sha512_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/pbkdf2_hmacsha512_test.json"):
        _check_pbkdf2(hashes.SHA512(), case)
