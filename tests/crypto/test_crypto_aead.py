"""The AEAD suites; AES key wrap of the library, which the product does not use."""

import pytest
from cryptography.hazmat.primitives import keywrap

from secure_msg.crypto.aead import (
    AES_256_GCM,
    AES_XCHACHA,
    CHACHA20_POLY1305,
    XCHACHA20_POLY1305,
    Aead,
    aead_by_name,
)
from secure_msg.crypto.errors import DecryptionFailed, InvalidKey, InvalidParameter
from tests.crypto.vector_files import Case, load_grouped, unhex

SUITES = [AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305, AES_XCHACHA]
EVERY_SUITE = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)


def _check(suite: Aead, group: Case, case: Case) -> bool:
    """Run one Wycheproof case; True if it was one of this suite's nonce size."""
    key, nonce, ad = unhex(case["key"]), unhex(case["iv"]), unhex(case["aad"])
    plaintext, sealed = unhex(case["msg"]), unhex(case["ct"]) + unhex(case["tag"])
    assert len(nonce) * 8 == group["ivSize"]
    if len(nonce) != suite.nonce_size:
        with pytest.raises(InvalidParameter):
            suite.seal(key, nonce, plaintext, ad)
        with pytest.raises(InvalidParameter):
            suite.open(key, nonce, sealed, ad)
        return False
    if case["result"] == "valid":
        assert suite.seal(key, nonce, plaintext, ad) == sealed, case["tcId"]
        assert suite.open(key, nonce, sealed, ad) == plaintext, case["tcId"]
    else:
        assert case["result"] == "invalid"
        with pytest.raises(DecryptionFailed):
            suite.open(key, nonce, sealed, ad)
    return True


def test_aes_256_gcm_wycheproof() -> None:
    cases = load_grouped("wycheproof/aes_gcm_test.json")
    assert sum(_check(AES_256_GCM, group, case) for group, case in cases) >= 32


def test_chacha20_poly1305_wycheproof() -> None:
    cases = load_grouped("wycheproof/chacha20_poly1305_test.json")
    assert sum(_check(CHACHA20_POLY1305, group, case) for group, case in cases) >= 158


def test_xchacha20_poly1305_wycheproof() -> None:
    cases = load_grouped("wycheproof/xchacha20_poly1305_test.json")
    assert sum(_check(XCHACHA20_POLY1305, group, case) for group, case in cases) >= 153


def test_cascade_is_aes_inside_xchacha() -> None:
    key, nonce = bytes(range(64)), bytes(range(36))
    inner = AES_256_GCM.seal(key[:32], nonce[:12], b"text", b"ad")
    outer = XCHACHA20_POLY1305.seal(key[32:], nonce[12:], inner, b"ad")
    assert AES_XCHACHA.seal(key, nonce, b"text", b"ad") == outer
    assert AES_XCHACHA.open(key, nonce, outer, b"ad") == b"text"


@EVERY_SUITE
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4096])
def test_sizes_and_round_trip(suite: Aead, size: int) -> None:
    key, nonce = bytes(suite.key_size), bytes(suite.nonce_size)
    sealed = suite.seal(key, nonce, b"p" * size, b"")
    assert len(sealed) == size + suite.overhead
    assert suite.open(key, nonce, sealed, b"") == b"p" * size


@EVERY_SUITE
def test_every_flipped_byte_is_noticed(suite: Aead) -> None:
    key, nonce = bytes(suite.key_size), bytes(suite.nonce_size)
    sealed = suite.seal(key, nonce, b"short text", b"ad")
    for position in range(len(sealed)):
        forged = bytearray(sealed)
        forged[position] ^= 0x80
        with pytest.raises(DecryptionFailed):
            suite.open(key, nonce, bytes(forged), b"ad")


@EVERY_SUITE
def test_other_key_nonce_or_data_is_noticed(suite: Aead) -> None:
    key, nonce = bytes(suite.key_size), bytes(suite.nonce_size)
    sealed = suite.seal(key, nonce, b"text", b"ad")
    # In the cascade each half of key and nonce must matter, so flip the first and the last byte.
    for position in (0, -1):
        other_key, other_nonce = bytearray(key), bytearray(nonce)
        other_key[position] ^= 1
        other_nonce[position] ^= 1
        with pytest.raises(DecryptionFailed):
            suite.open(bytes(other_key), nonce, sealed, b"ad")
        with pytest.raises(DecryptionFailed):
            suite.open(key, bytes(other_nonce), sealed, b"ad")
    with pytest.raises(DecryptionFailed):
        suite.open(key, nonce, sealed, b"da")


@EVERY_SUITE
def test_truncated_and_extended_are_refused(suite: Aead) -> None:
    key, nonce = bytes(suite.key_size), bytes(suite.nonce_size)
    sealed = suite.seal(key, nonce, b"text", b"ad")
    for wrong in [*(sealed[:length] for length in range(len(sealed))), sealed + b"\x00"]:
        with pytest.raises(DecryptionFailed):
            suite.open(key, nonce, wrong, b"ad")


@EVERY_SUITE
@pytest.mark.parametrize("difference", [-1, 1])
def test_wrong_key_and_nonce_lengths(suite: Aead, difference: int) -> None:
    key, nonce = bytes(suite.key_size), bytes(suite.nonce_size)
    with pytest.raises(InvalidKey):
        suite.seal(bytes(suite.key_size + difference), nonce, b"", b"")
    with pytest.raises(InvalidKey):
        suite.open(bytes(suite.key_size + difference), nonce, bytes(64), b"")
    with pytest.raises(InvalidParameter):
        suite.seal(key, bytes(suite.nonce_size + difference), b"", b"")
    with pytest.raises(InvalidParameter):
        suite.open(key, bytes(suite.nonce_size + difference), bytes(64), b"")


def test_suites_by_name() -> None:
    assert [aead_by_name(suite.name) for suite in SUITES] == SUITES
    for name in ("", "aes-256-gcm", "AES-128-GCM"):
        with pytest.raises(InvalidParameter):
            aead_by_name(name)


def test_library_aes_key_wrap_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/aes_kwp_test.json"):
        key, plaintext, wrapped = unhex(case["key"]), unhex(case["msg"]), unhex(case["ct"])
        if case["result"] == "invalid":
            with pytest.raises((keywrap.InvalidUnwrap, ValueError)):
                keywrap.aes_key_unwrap_with_padding(key, wrapped)
            continue
        assert keywrap.aes_key_unwrap_with_padding(key, wrapped) == plaintext, case["tcId"]
        assert keywrap.aes_key_wrap_with_padding(key, plaintext) == wrapped, case["tcId"]
