"""X25519, ML-KEM-1024 and the hybrid agreement key, against the public vectors."""

import hashlib
from collections import Counter

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.asymmetric import mlkem

from secure_msg.crypto.agreement import AgreementKey, split_public
from secure_msg.crypto.dh import X25519PrivateKey
from secure_msg.crypto.errors import DecryptionFailed, InvalidKey, InvalidParameter
from secure_msg.crypto.kem import (
    MLKEM1024PrivateKey,
    check_mlkem1024_public,
    mlkem1024_encapsulate,
)
from tests.crypto.vector_files import Case, load_flat, load_grouped, load_object, unhex


def test_x25519_wycheproof() -> None:
    refused = 0
    for _, case in load_grouped("wycheproof/x25519_test.json"):
        private, public = X25519PrivateKey(unhex(case["private"])), unhex(case["public"])
        shared = unhex(case["shared"])
        assert case["result"] in ("valid", "acceptable")
        if shared == bytes(32):
            refused += 1
            with pytest.raises(InvalidKey):
                private.agree(public)
        else:
            assert private.agree(public) == shared, case["tcId"]
    assert refused > 0


def test_x25519_rfc7748_section_5_2_iterated() -> None:
    k = u = b"\x09" + bytes(31)
    results = []
    for _ in range(1000):
        k, u = X25519PrivateKey(k).agree(u), k
        results.append(k.hex())
    assert results[0] == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert results[-1] == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def _expanded(seed: bytes) -> bytes:
    key = MLKEM.construct(param_set=MLKEM.ML_KEM_1024, seed=seed)
    assert key.expanded_dk is not None
    return bytes(key.expanded_dk)


def test_mlkem_keygen_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/mlkem_1024_keygen_seed_test.json"):
        assert case["result"] == "valid"
        seed = unhex(case["seed"])
        assert MLKEM1024PrivateKey(seed).public == unhex(case["ek"]), case["tcId"]
        assert _expanded(seed) == unhex(case["dk"]), case["tcId"]


def test_mlkem_keygen_acvp() -> None:
    for _, case in load_grouped("acvp/ML-KEM-keyGen.json"):
        seed = unhex(case["d"]) + unhex(case["z"])
        assert MLKEM1024PrivateKey(seed).public == unhex(case["ek"]), case["tcId"]
        assert _expanded(seed) == unhex(case["dk"]), case["tcId"]


def test_mlkem_encapsulation_wycheproof() -> None:
    for _, case in load_grouped("wycheproof/mlkem_1024_encaps_test.json"):
        public, randomness = unhex(case["ek"]), unhex(case["m"])
        if case["result"] == "invalid":
            with pytest.raises(InvalidKey):
                mlkem1024_encapsulate(public, randomness)
            continue
        expected = (unhex(case["c"]), unhex(case["K"]))
        assert mlkem1024_encapsulate(public, randomness) == expected, case["tcId"]


def test_mlkem_decapsulation_wycheproof() -> None:
    results = {"valid": 0, "refused": 0, "implicit": 0}
    for _, case in load_grouped("wycheproof/mlkem_1024_test.json"):
        seed, ciphertext = unhex(case["seed"]), unhex(case["c"])
        if len(seed) != 64:
            assert case["result"] == "invalid"
            with pytest.raises(InvalidKey):
                MLKEM1024PrivateKey(seed)
            results["refused"] += 1
            continue
        key = MLKEM1024PrivateKey(seed)
        if case.get("ek"):
            assert key.public == unhex(case["ek"]), case["tcId"]
        if len(ciphertext) != 1568:
            assert case["result"] == "invalid"
            with pytest.raises(DecryptionFailed):
                key.decapsulate(ciphertext)
            results["refused"] += 1
            continue
        assert key.decapsulate(ciphertext) == unhex(case["K"]), case["tcId"]
        results["valid" if case["result"] == "valid" else "implicit"] += 1
    assert results["valid"] > 0
    assert results["refused"] > 0


def test_library_mlkem_expanded_keys_wycheproof() -> None:
    """The product keeps seeds only; the library that encapsulates must check expanded keys too."""
    results = Counter[str]()
    for _, case in load_grouped("wycheproof/mlkem_1024_semi_expanded_decaps_test.json"):
        expanded, ciphertext = unhex(case["dk"]), unhex(case["c"])
        results[case["result"]] += 1
        if case["result"] == "valid":
            assert _decapsulate_expanded(expanded, ciphertext) == unhex(case["K"]), case["tcId"]
            continue
        with pytest.raises(ValueError, match=r"ML-KEM|expanded private key"):
            _decapsulate_expanded(expanded, ciphertext)
    assert results["invalid"] > 0


def _decapsulate_expanded(expanded: bytes, ciphertext: bytes) -> bytes:
    key = MLKEM.construct(param_set=MLKEM.ML_KEM_1024, expanded_dk=expanded)
    return key._decaps(ciphertext)


def _check_acvp(group: Case, case: Case) -> None:
    match group["function"]:
        case "encapsulation":
            expected = (unhex(case["c"]), unhex(case["k"]))
            assert mlkem1024_encapsulate(unhex(case["ek"]), unhex(case["m"])) == expected
        case "decapsulation":
            secret, ciphertext = unhex(case["k"]), unhex(case["c"])
            key = MLKEM1024PrivateKey(unhex(case["d"]) + unhex(case["z"]))
            assert key.public == unhex(case["ek"])
            assert key.decapsulate(ciphertext) == secret
            assert _decapsulate_expanded(unhex(case["dk"]), ciphertext) == secret
        case "decapsulationKeyCheck":
            assert _accepted_expanded(unhex(case["dk"])) == case["testPassed"]
        case "encapsulationKeyCheck":
            assert _accepted_public(unhex(case["ek"])) == case["testPassed"]
        case other:
            pytest.fail(f"unknown function {other}")


def _accepted_expanded(expanded: bytes) -> bool:
    try:
        MLKEM.construct(param_set=MLKEM.ML_KEM_1024, expanded_dk=expanded)
    except ValueError:
        return False
    return True


def _accepted_public(public: bytes) -> bool:
    try:
        check_mlkem1024_public(public)
    except InvalidKey:
        return False
    return True


def test_mlkem_encapsulation_and_decapsulation_acvp() -> None:
    for group, case in load_grouped("acvp/ML-KEM-encapDecap.json"):
        _check_acvp(group, case)


def test_mlkem_accumulated_cctv() -> None:
    document = load_object("cctv/accumulated.json", keys="ML-KEM ML-DSA")["ML-KEM"]
    (expected,) = document["ML-KEM-1024"].values()
    stream = hashlib.shake_128(b"").digest(100 * (96 + 1568))
    out = hashlib.shake_128()
    for start in range(0, len(stream), 96 + 1568):
        drawn = stream[start : start + 96 + 1568]
        seed, randomness, random_ciphertext = drawn[:64], drawn[64:96], drawn[96:]
        key = MLKEM1024PrivateKey(seed)
        ciphertext, secret = mlkem1024_encapsulate(key.public, randomness)
        assert key.decapsulate(ciphertext) == secret
        out.update(key.public + _expanded(seed) + ciphertext + secret)
        out.update(key.decapsulate(random_ciphertext))
    assert out.hexdigest(32) == expected


def test_mlkem768_x25519_hybrid_vectors() -> None:
    """X-Wing's combiner from our X25519 and the libraries' ML-KEM and SHA-3: the pieces agree."""
    cases = load_flat(
        "hybrid_kem/mlkem768_x25519.json", count=5, case="seed randomness pk sk ct ss"
    )
    for case in cases:
        assert case["seed"] == case["sk"]
        expanded = hashlib.shake_256(unhex(case["sk"])).digest(96)
        kem_key = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x_key = X25519PrivateKey(expanded[64:])
        kem_public = kem_key.public_key().public_bytes_raw()
        assert kem_public + x_key.public == unhex(case["pk"])

        ciphertext, randomness = unhex(case["ct"]), unhex(case["randomness"])
        encapsulator = MLKEM.construct(param_set=MLKEM.ML_KEM_768, ek=kem_public)
        kem_secret, kem_ciphertext = encapsulator._encaps(randomness[:32])
        ephemeral = X25519PrivateKey(randomness[32:])
        assert kem_ciphertext + ephemeral.public == ciphertext
        assert kem_key.decapsulate(kem_ciphertext) == kem_secret
        x_secret = ephemeral.agree(x_key.public)
        assert x_key.agree(ephemeral.public) == x_secret

        bound = kem_secret + x_secret + ephemeral.public + x_key.public + rb"\.//^\ ".strip()
        assert hashlib.sha3_256(bound).digest() == unhex(case["ss"])


def test_agreement_key_is_its_two_halves() -> None:
    private = bytes(range(96))
    key = AgreementKey(private)
    x_public, kem_public = split_public(key.public)
    assert x_public == X25519PrivateKey(private[:32]).public
    assert kem_public == MLKEM1024PrivateKey(private[32:]).public

    peer = X25519PrivateKey(b"\x07" * 32)
    assert key.dh(peer.public) == peer.agree(x_public)
    ciphertext, secret = mlkem1024_encapsulate(kem_public, b"\x09" * 32)
    assert key.decapsulate(ciphertext) == secret


def test_implicit_rejection_gives_a_different_secret_and_no_error() -> None:
    key = MLKEM1024PrivateKey(bytes(64))
    ciphertext, secret = mlkem1024_encapsulate(key.public, bytes(32))
    forged = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert key.decapsulate(forged) not in (secret, bytes(32))
    assert key.decapsulate(forged) == key.decapsulate(forged)


def test_encapsulation_takes_32_bytes_of_randomness() -> None:
    public = MLKEM1024PrivateKey(bytes(64)).public
    for size in (0, 31, 33, 64):
        with pytest.raises(InvalidParameter):
            mlkem1024_encapsulate(public, bytes(size))
