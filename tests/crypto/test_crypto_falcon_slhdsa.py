"""Falcon-1024 and SLH-DSA, against the public vectors and against misuse."""

import subprocess
import sys

import pytest

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature, Unavailable
from secure_msg.crypto.falcon import Falcon1024
from secure_msg.crypto.providers.pqcrypto import SlhDsaProvider
from secure_msg.crypto.signature import (
    FALCON_1024,
    SLH_DSA_SHAKE_128F,
    SLH_DSA_SHAKE_256F,
    SignatureScheme,
    scheme_by_name,
)
from secure_msg.crypto.slhdsa import SlhDsa
from tests.crypto.vector_files import load_flat, load_grouped, unhex

EVERY_SLH_DSA = pytest.mark.parametrize(
    "scheme", [SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F], ids=lambda scheme: scheme.name
)


def accepts(
    scheme: SignatureScheme, public: bytes, message: bytes, signature: bytes, context: bytes = b""
) -> bool:
    try:
        scheme.verify(public, message, signature, context)
    except InvalidSignature:
        return False
    return True


def test_signatures_of_another_library_verify() -> None:
    cases = load_flat(
        "project/randomised_signatures.json",
        count=3,
        case="scheme stored public message context signature",
        top="note cases",
    )
    for case in cases:
        scheme = scheme_by_name(case["scheme"])
        public, message = unhex(case["public"]), unhex(case["message"])
        context = unhex(case["context"])
        assert accepts(scheme, public, message, unhex(case["signature"]), context)
        assert not accepts(scheme, public, message + b"!", unhex(case["signature"]), context)
        key = scheme.generate(unhex(case["stored"]))
        assert key.public == public
        assert accepts(scheme, public, message, key.sign(message, context), context)


# --- Falcon-1024 ---


def test_falcon_round3_known_answers() -> None:
    cases = load_flat(
        "falcon/falcon1024_round3_kat.json",
        count=12,
        case="count seed mlen msg pk sk smlen sm",
        top="note cases",
    )
    for case in cases:
        public, message = unhex(case["pk"]), unhex(case["msg"])
        signature = _detached(unhex(case["sm"]), message)
        assert accepts(FALCON_1024, public, message, signature), case["count"]
        assert not accepts(FALCON_1024, public, message + b"\x00", signature), case["count"]
        key = FALCON_1024.generate(unhex(case["sk"]) + public)
        assert accepts(FALCON_1024, public, message, key.sign(message)), case["count"]


def _detached(signed: bytes, message: bytes) -> bytes:
    """size(2) ‖ nonce(40) ‖ message ‖ 0x2A ‖ s2 (NIST's form) as 0x3A ‖ nonce ‖ s2."""
    size, nonce, rest = int.from_bytes(signed[:2], "big"), signed[2:42], signed[42:]
    assert rest[: len(message)] == message
    body = rest[len(message) :]
    assert len(body) == size
    assert body[0] == 0x2A
    return b"\x3a" + nonce + body[1:]


def test_falcon_fresh_key_signs_and_every_change_is_noticed() -> None:
    stored = FALCON_1024.new_private()
    assert len(stored) == FALCON_1024.seed_size == 4098
    key = FALCON_1024.generate(stored)
    assert key.public == stored[2305:]
    signature = key.sign(b"message")
    assert len(signature) <= 1462
    assert accepts(FALCON_1024, key.public, b"message", signature)
    for position in {*range(0, len(signature), 13), len(signature) - 1}:
        forged = bytearray(signature)
        forged[position] ^= 0x10
        assert not accepts(FALCON_1024, key.public, b"message", bytes(forged)), position
    for wrong in (b"", signature[:41], signature[:-1], signature + b"\x00", signature + b"\x01"):
        assert not accepts(FALCON_1024, key.public, b"message", wrong)
    padded = signature + bytes(max(1, 1280 - len(signature)))
    assert not accepts(FALCON_1024, key.public, b"message", padded)
    for wrong in (b"", key.public[:-1], key.public + b"\x00", b"\x09" + key.public[1:]):
        assert not accepts(FALCON_1024, wrong, b"message", signature)


class _TakesEverything:
    """A library laxer than any known one: what is refused, the scheme itself refuses."""

    def keypair(self) -> tuple[bytes, bytes]:
        return FALCON_PUBLIC, bytes(2305)

    def sign(self, private: bytes, message: bytes, context: bytes) -> bytes:
        return private[:1] + message + context

    def verify(self, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
        return True


FALCON_PUBLIC = b"\x0a" + bytes(1792)


def test_falcon_framing_does_not_depend_on_the_library() -> None:
    scheme = Falcon1024(_TakesEverything())
    good = b"\x3a" + bytes(40) + b"\x01" * 1200
    assert accepts(scheme, FALCON_PUBLIC, b"m", good)
    for wrong in (
        good + b"\x00",
        good + bytes(1280 - len(good)),
        good + b"\x01" * 222,
        good[:41],
        b"\x2a" + good[1:],
        b"",
    ):
        assert not accepts(scheme, FALCON_PUBLIC, b"m", wrong)
    for wrong in (b"\x09" + FALCON_PUBLIC[1:], FALCON_PUBLIC[:-1], FALCON_PUBLIC + b"\x00", b""):
        assert not accepts(scheme, wrong, b"m", good)


def test_falcon_refuses_halves_that_do_not_belong_together() -> None:
    one, two = FALCON_1024.new_private(), FALCON_1024.new_private()
    with pytest.raises(InvalidKey, match="belong together"):
        FALCON_1024.generate(one[:2305] + two[2305:])
    with pytest.raises(InvalidKey, match="does not decode"):
        FALCON_1024.generate(bytes(2305) + one[2305:])
    for wrong in (b"", one[:-1], one + b"\x00"):
        with pytest.raises(InvalidKey, match="length"):
            FALCON_1024.generate(wrong)


def test_falcon_takes_no_context() -> None:
    key = FALCON_1024.generate(FALCON_1024.new_private())
    with pytest.raises(InvalidParameter):
        key.sign(b"m", b"c")
    with pytest.raises(InvalidParameter):
        FALCON_1024.verify(key.public, b"m", key.sign(b"m"), b"c")


def test_falcon_loads_without_printing_a_warning() -> None:
    program = (
        "from secure_msg.crypto.signature import FALCON_1024;print(len(FALCON_1024.new_private()))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True
    )
    assert result.stdout == "4098\n"
    assert result.stderr == ""


# --- SLH-DSA ---


def test_slhdsa_keygen_acvp() -> None:
    """The library draws its own seeds, so a key pair of the vectors proves itself by a signature:
    verification recomputes PK.root. The slow `s` sets sign once each."""
    slow_done = set()
    for group, case in load_grouped("acvp/SLH-DSA-keyGen.json"):
        public, private = unhex(case["pk"]), unhex(case["sk"])
        assert private == unhex(case["skSeed"]) + unhex(case["skPrf"]) + public, case["tcId"]
        assert public.startswith(unhex(case["pkSeed"])), case["tcId"]
        name = group["parameterSet"]
        if name in slow_done:
            continue
        if name.endswith("s"):
            slow_done.add(name)
        provider = SlhDsaProvider(name.lower().replace("-", "_"))
        signature = provider.sign(private, b"message", b"context")
        assert provider.verify(public, b"message", signature, b"context"), case["tcId"]
    assert len(slow_done) == 6


def test_slhdsa_wrong_root_does_not_verify() -> None:
    """What test_slhdsa_keygen_acvp relies on."""
    private = bytearray(SLH_DSA_SHAKE_128F.new_private())
    private[-1] ^= 1
    key = SLH_DSA_SHAKE_128F.generate(bytes(private))
    assert not accepts(SLH_DSA_SHAKE_128F, key.public, b"message", key.sign(b"message"))


def test_slhdsa_internal_signatures_are_not_external_ones_acvp() -> None:
    """The vectors are of the internal interface (no context, no prefix), which the product does
    not offer: all must be refused. TypeScript's library verifies the valid ones, and
    test_signatures_of_another_library_verify ties the two libraries together."""
    valid = 0
    for group, case in load_grouped("acvp/SLH-DSA-sigVer-internal.json"):
        scheme = scheme_by_name(group["parameterSet"])
        assert len(unhex(case["pk"])) == scheme.public_size
        valid += case["testPassed"]
        verdict = accepts(
            scheme, unhex(case["pk"]), unhex(case["message"]), unhex(case["signature"])
        )
        assert not verdict, case["tcId"]
    assert valid == 4


@EVERY_SLH_DSA
def test_slhdsa_fresh_key_signs_and_changes_are_noticed(scheme: SlhDsa) -> None:
    stored = scheme.new_private()
    assert len(stored) == scheme.seed_size
    key = scheme.generate(stored)
    assert stored.endswith(key.public)
    signature = key.sign(b"message", b"context")
    assert len(signature) == scheme.signature_size
    assert accepts(scheme, key.public, b"message", signature, b"context")
    assert not accepts(scheme, key.public, b"message", signature)
    assert not accepts(scheme, key.public, b"message", signature, b"another")
    assert not accepts(scheme, key.public, b"massage", signature, b"context")
    for position in {*range(0, len(signature), 997), len(signature) - 1}:
        forged = bytearray(signature)
        forged[position] ^= 1
        assert not accepts(scheme, key.public, b"message", bytes(forged), b"context"), position
    for wrong in (b"", signature[:-1], signature + b"\x00"):
        assert not accepts(scheme, key.public, b"message", wrong, b"context")
    for wrong in (b"", key.public[:-1], key.public + b"\x00"):
        assert not accepts(scheme, wrong, b"message", signature, b"context")


@EVERY_SLH_DSA
def test_slhdsa_sizes_and_contexts(scheme: SlhDsa) -> None:
    for size in (0, scheme.seed_size - 1, scheme.seed_size + 1):
        with pytest.raises(InvalidKey):
            scheme.generate(bytes(size))
    key = scheme.generate(scheme.new_private())
    signature = key.sign(b"m", b"c" * 255)
    assert accepts(scheme, key.public, b"m", signature, b"c" * 255)
    with pytest.raises(InvalidParameter):
        key.sign(b"m", b"c" * 256)
    with pytest.raises(InvalidParameter):
        scheme.verify(key.public, b"m", signature, b"c" * 256)


def test_a_missing_library_is_named() -> None:
    with pytest.raises(Unavailable, match="pqcrypto"):
        SlhDsaProvider("slh_dsa_of_tomorrow").keypair()
