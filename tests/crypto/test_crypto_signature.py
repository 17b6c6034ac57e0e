"""Ed25519, ML-DSA-65 and their hybrid, against the public vectors."""

import hashlib
from collections import Counter

import pytest
from Crypto.PublicKey import MLDSA
from Crypto.Signature import mldsa as pycryptodome_mldsa
from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import mldsa

from secure_msg.crypto.errors import InvalidKey, InvalidParameter, InvalidSignature
from secure_msg.crypto.hash import sha256
from secure_msg.crypto.signature import (
    ED25519,
    FALCON_1024,
    HYBRID,
    ML_DSA_65,
    SLH_DSA_SHAKE_128F,
    SLH_DSA_SHAKE_256F,
    SignatureScheme,
    hybrid_key_id,
    scheme_by_name,
)
from tests.crypto.vector_files import Case, load_flat, load_grouped, load_object, unhex

FAST = [ED25519, ML_DSA_65, HYBRID]
EVERY_FAST = pytest.mark.parametrize("scheme", FAST, ids=lambda scheme: scheme.name)


def accepts(
    scheme: SignatureScheme, public: bytes, message: bytes, signature: bytes, context: bytes = b""
) -> bool:
    try:
        scheme.verify(public, message, signature, context)
    except InvalidSignature:
        return False
    return True


def test_ed25519_wycheproof() -> None:
    for group, case in load_grouped("wycheproof/ed25519_test.json"):
        public = unhex(group["publicKey"]["pk"])
        verdict = accepts(ED25519, public, unhex(case["msg"]), unhex(case["sig"]))
        assert verdict == (case["result"] == "valid"), case["tcId"]


def test_ed25519_edge_points_verdicts() -> None:
    verdicts = load_object(
        "project/ed25519_edge_points_verdicts.json", keys="source rule cases accepted"
    )
    cases = load_flat("cctv/ed25519_edge_points.json", count=150, case="number key sig msg flags")
    assert verdicts["cases"] == len(cases)
    accepted = [
        case["number"]
        for case in cases
        if accepts(ED25519, unhex(case["key"]), case["msg"].encode(), unhex(case["sig"]))
    ]
    assert accepted == verdicts["accepted"]
    strict = {
        "low_order_A",
        "low_order_R",
        "non_canonical_A",
        "non_canonical_R",
        "low_order_residue",
    }
    assert accepted == [case["number"] for case in cases if not strict & set(case["flags"] or [])]


def test_ed25519_rfc8032_section_7_1_test_2() -> None:
    key = ED25519.generate(
        unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert key.public == unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    assert key.sign(b"\x72") == unhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_mldsa_keygen_acvp() -> None:
    for _, case in load_grouped("acvp/ML-DSA-keyGen.json"):
        seed = unhex(case["seed"])
        assert ML_DSA_65.generate(seed).public == unhex(case["pk"]), case["tcId"]
        key = MLDSA.construct(param_set=MLDSA.ML_DSA_65, seed=seed)
        assert key.sk == unhex(case["sk"]), case["tcId"]


def _sign_with_library(key: MLDSA.MLDSAKey, case: Case, context: bytes, message: str) -> bytes:
    """What the product does not offer: expanded keys, given rnd, given mu."""
    rnd = unhex(case.get("rnd") or "00" * 32)
    if message not in case:
        return key._sign(unhex(case["mu"]), rnd, external_mu=True)
    signer = pycryptodome_mldsa.new(key, context, randfunc=lambda size: rnd[:size])
    return signer.sign(unhex(case[message]))


def test_mldsa_signing_from_seed_wycheproof() -> None:
    signed: Counter[str] = Counter()
    for group, case in load_grouped("wycheproof/mldsa_65_sign_seed_test.json"):
        seed, context = unhex(group["privateSeed"]), unhex(case.get("ctx") or "")
        if case["result"] == "invalid":
            with pytest.raises((InvalidKey, InvalidParameter)):
                ML_DSA_65.generate(seed).sign(unhex(case.get("msg") or ""), context)
            signed["refused"] += 1
            continue
        expected = unhex(case["sig"])
        if "msg" in case and not case.get("rnd"):
            assert ML_DSA_65.generate(seed).sign(unhex(case["msg"]), context) == expected
            signed["product"] += 1
        library_key = MLDSA.construct(param_set=MLDSA.ML_DSA_65, seed=seed)
        assert library_key.pk == unhex(group["publicKey"]), case["tcId"]
        assert _sign_with_library(library_key, case, context, "msg") == expected, case["tcId"]
        if "msg" in case:
            assert accepts(ML_DSA_65, library_key.pk, unhex(case["msg"]), expected, context)
    assert signed["product"] > 20
    assert signed["refused"] > 0


def test_library_mldsa_signing_from_expanded_key_wycheproof() -> None:
    refused = 0
    for group, case in load_grouped("wycheproof/mldsa_65_sign_noseed_test.json"):
        context = unhex(case.get("ctx") or "")
        if case["result"] == "invalid":
            refused += 1
            with pytest.raises(ValueError, match=r"private key|context"):
                _sign_with_library(_expanded_key(group), case, context, "msg")
            continue
        signature = _sign_with_library(_expanded_key(group), case, context, "msg")
        assert signature == unhex(case["sig"]), case["tcId"]
    assert refused > 0


def _expanded_key(group: Case) -> MLDSA.MLDSAKey:
    return MLDSA.construct(param_set=MLDSA.ML_DSA_65, sk=unhex(group["privateKey"]))


def test_mldsa_verification_wycheproof() -> None:
    for group, case in load_grouped("wycheproof/mldsa_65_verify_test.json"):
        public, context = unhex(group["publicKey"]), unhex(case.get("ctx") or "")
        message, signature = unhex(case["msg"]), unhex(case["sig"])
        if len(context) > 255:
            assert case["result"] == "invalid"
            with pytest.raises(InvalidParameter):
                ML_DSA_65.verify(public, message, signature, context)
            continue
        verdict = accepts(ML_DSA_65, public, message, signature, context)
        assert verdict == (case["result"] == "valid"), case["tcId"]


def test_mldsa_signing_acvp() -> None:
    for group, case in load_grouped("acvp/ML-DSA-sigGen.json"):
        assert group["keyFormat"] == "seed"
        seed, expected = unhex(case["seed"]), unhex(case["signature"])
        key = MLDSA.construct(param_set=MLDSA.ML_DSA_65, seed=seed)
        context = unhex(case.get("context") or "")
        if group["signatureInterface"] == "internal" and not group["externalMu"]:
            assert key._sign(unhex(case["message"]), bytes(32)) == expected, case["tcId"]
            continue
        assert _sign_with_library(key, case, context, "message") == expected, case["tcId"]
        if group["signatureInterface"] == "external" and group["deterministic"]:
            product = ML_DSA_65.generate(seed).sign(unhex(case["message"]), context)
            assert product == expected, case["tcId"]


def _accepts_mu(public: bytes, mu: bytes, signature: bytes) -> bool:
    try:
        mldsa.MLDSA65PublicKey.from_public_bytes(public).verify_mu(signature, mu)
    except exceptions.InvalidSignature:
        return False
    return True


def test_mldsa_verification_acvp() -> None:
    for group, case in load_grouped("acvp/ML-DSA-sigVer.json"):
        public, signature = unhex(case["pk"]), unhex(case["signature"])
        if group["signatureInterface"] == "external":
            message, context = unhex(case["message"]), unhex(case["context"])
            verdict = accepts(ML_DSA_65, public, message, signature, context)
        elif group["externalMu"]:
            verdict = _accepts_mu(public, unhex(case["mu"]), signature)
        else:
            # mu = H(tr ‖ M') with tr = H(public): FIPS 204, Algorithm 8 lines 6 and 7.
            tr = hashlib.shake_256(public).digest(64)
            mu = hashlib.shake_256(tr + unhex(case["message"])).digest(64)
            verdict = _accepts_mu(public, mu, signature)
        assert verdict == case["testPassed"], case["tcId"]


def test_mldsa_accumulated_cctv() -> None:
    document = load_object("cctv/accumulated.json", keys="ML-KEM ML-DSA")["ML-DSA"]
    (expected,) = document["ML-DSA-65"].values()
    seeds = hashlib.shake_128(b"").digest(100 * 32)
    out = hashlib.shake_128()
    for start in range(0, len(seeds), 32):
        key = ML_DSA_65.generate(seeds[start : start + 32])
        signature = key.sign(b"")
        ML_DSA_65.verify(key.public, b"", signature)
        out.update(key.public + signature)
    assert out.hexdigest(32) == expected


def test_mldsa_accepts_openssl_hedged_signatures() -> None:
    seed = bytes(range(32))
    signature = mldsa.MLDSA65PrivateKey.from_seed_bytes(seed).sign(b"message", b"context")
    ML_DSA_65.verify(ML_DSA_65.generate(seed).public, b"message", signature, b"context")


@EVERY_FAST
def test_signing_is_a_function_of_its_arguments(scheme: SignatureScheme) -> None:
    seed = bytes(range(scheme.seed_size))
    first, second = scheme.generate(seed), scheme.generate(seed)
    assert first.public == second.public
    assert len(first.public) == scheme.public_size
    assert first.sign(b"message") == second.sign(b"message")
    assert first.sign(b"message") != first.sign(b"massage")


@EVERY_FAST
def test_flipped_bits_and_lengths_are_refused(scheme: SignatureScheme) -> None:
    key = scheme.generate(bytes(scheme.seed_size))
    signature = key.sign(b"message")
    assert accepts(scheme, key.public, b"message", signature)
    assert not accepts(scheme, key.public, b"massage", signature)
    assert not accepts(scheme, key.public, b"message\x00", signature)
    for position in {*range(0, len(signature), 97), 31, 32, 63, 64, len(signature) - 1}:
        if position < len(signature):
            forged = bytearray(signature)
            forged[position] ^= 1
            assert not accepts(scheme, key.public, b"message", bytes(forged)), position
    for position in {*range(0, len(key.public), 97), 31, len(key.public) - 1}:
        other = bytearray(key.public)
        other[position] ^= 1
        assert not accepts(scheme, bytes(other), b"message", signature), position
    for wrong in (b"", signature[:-1], signature + b"\x00"):
        assert not accepts(scheme, key.public, b"message", wrong)
    for wrong in (b"", key.public[:-1], key.public + b"\x00"):
        assert not accepts(scheme, wrong, b"message", signature)


@EVERY_FAST
def test_seeds_have_one_length(scheme: SignatureScheme) -> None:
    for size in (0, scheme.seed_size - 1, scheme.seed_size + 1):
        with pytest.raises(InvalidKey):
            scheme.generate(bytes(size))


def test_hybrid_needs_both_halves() -> None:
    mine, other = HYBRID.generate(b"\x01" * 64), HYBRID.generate(b"\x02" * 64)
    good, bad = mine.sign(b"message", b"context"), other.sign(b"message", b"context")
    assert good[:64] == ED25519.generate(b"\x01" * 32).sign(b"message")
    assert good[64:] == ML_DSA_65.generate(b"\x01" * 32).sign(b"message", b"context")
    assert accepts(HYBRID, mine.public, b"message", good, b"context")
    assert not accepts(HYBRID, mine.public, b"message", good[:64] + bad[64:], b"context")
    assert not accepts(HYBRID, mine.public, b"message", bad[:64] + good[64:], b"context")
    assert not accepts(HYBRID, mine.public, b"message", good, b"another")
    assert not accepts(HYBRID, mine.public, b"message", good)


def test_contexts_are_bounded_and_refused_where_there_are_none() -> None:
    for scheme in (ML_DSA_65, HYBRID):
        key = scheme.generate(bytes(scheme.seed_size))
        scheme.verify(key.public, b"m", key.sign(b"m", b"c" * 255), b"c" * 255)
        with pytest.raises(InvalidParameter):
            key.sign(b"m", b"c" * 256)
        with pytest.raises(InvalidParameter):
            scheme.verify(key.public, b"m", key.sign(b"m"), b"c" * 256)
    key = ED25519.generate(bytes(32))
    with pytest.raises(InvalidParameter):
        key.sign(b"m", b"c")
    with pytest.raises(InvalidParameter):
        ED25519.verify(key.public, b"m", key.sign(b"m"), b"c")


def test_hybrid_key_id() -> None:
    public = HYBRID.generate(bytes(64)).public
    assert hybrid_key_id(public) == sha256(b"securemsg/hybrid-key/1" + public)
    for wrong in (b"", public[:-1], public + b"\x00"):
        with pytest.raises(InvalidKey):
            hybrid_key_id(wrong)


def test_schemes_by_name() -> None:
    schemes: list[SignatureScheme] = [*FAST, FALCON_1024, SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_256F]
    assert [scheme_by_name(scheme.name) for scheme in schemes] == schemes
    assert len({scheme.name for scheme in schemes}) == 6
    for name in ("", "ed25519", "ML-DSA-44"):
        with pytest.raises(InvalidParameter):
            scheme_by_name(name)
