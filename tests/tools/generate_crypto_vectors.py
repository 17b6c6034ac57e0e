"""Writes tests/vectors/project/python_crypto.json: what Python made, for TypeScript to check.

Run from the repository's root: `python -m tests.tools.generate_crypto_vectors`. Falcon and SLH-DSA
draw their own randomness, so their cases are new in each run.
"""

import json
from pathlib import Path

from secure_msg.crypto import aead, kdf, kem, password
from secure_msg.crypto.agreement import AgreementKey, split_public
from secure_msg.crypto.dh import X25519PrivateKey
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import (
    FALCON_1024,
    HYBRID,
    SLH_DSA_SHAKE_128F,
    SignatureScheme,
    hybrid_key_id,
)

PATH = Path(__file__).parent.parent / "vectors" / "project" / "python_crypto.json"
NOTE = "made by tests/tools/generate_crypto_vectors.py; hex"
CONTEXT = b"securemsg/test/1"
SUITES = (
    aead.AES_256_GCM,
    aead.CHACHA20_POLY1305,
    aead.XCHACHA20_POLY1305,
    aead.AES_XCHACHA,
)
PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")
PKCS8_X25519 = bytes.fromhex("302e020100300506032b656e04220420")

Case = dict[str, str | int]


def _signature(scheme: SignatureScheme, stored: bytes, context: bytes, message: bytes) -> Case:
    key = scheme.generate(stored)
    return {
        "scheme": scheme.name,
        "stored": stored.hex(),
        "public": key.public.hex(),
        "message": message.hex(),
        "context": context.hex(),
        "signature": key.sign(message, context).hex(),
    }


def _signatures(random: SeededRandom) -> list[Case]:
    return [
        _signature(HYBRID, random(64), CONTEXT, b""),
        _signature(HYBRID, random(64), b"", random(1000)),
        _signature(FALCON_1024, FALCON_1024.new_private(), b"", random(100)),
        _signature(SLH_DSA_SHAKE_128F, SLH_DSA_SHAKE_128F.new_private(), CONTEXT, random(100)),
    ]


def _sealed(random: SeededRandom, suite: aead.Aead, size: int) -> Case:
    key, nonce, plaintext = random(suite.key_size), random(suite.nonce_size), random(size)
    return {
        "suite": suite.name,
        "key": key.hex(),
        "nonce": nonce.hex(),
        "ad": CONTEXT.hex(),
        "plaintext": plaintext.hex(),
        "sealed": suite.seal(key, nonce, plaintext, CONTEXT).hex(),
    }


def _agreement(random: SeededRandom) -> Case:
    private, peer, randomness = random(96), X25519PrivateKey(random(32)), random(32)
    key = AgreementKey(private)
    ciphertext, secret = kem.mlkem1024_encapsulate(split_public(key.public)[1], randomness)
    return {
        "private": private.hex(),
        "public": key.public.hex(),
        "peer": peer.public.hex(),
        "shared": key.dh(peer.public).hex(),
        "randomness": randomness.hex(),
        "ciphertext": ciphertext.hex(),
        "secret": secret.hex(),
    }


def _key_blobs(random: SeededRandom) -> Case:
    """One hybrid signing key and one agreement key, sealed half by half under a vault key."""
    vault_key, seed, private = random(32), random(64), random(96)
    info = b"securemsg/key-blobs/1"
    wrapping = kdf.hkdf_sha512(vault_key, salt=b"", info=info, length=32)
    halves = {
        "ed": PKCS8_ED25519 + seed[:32],
        "mldsa": seed[32:],
        "x": PKCS8_X25519 + private[:32],
        "kem": private[32:],
    }
    case: Case = {
        "vault_key": vault_key.hex(),
        "info": info.hex(),
        "signing_public": HYBRID.generate(seed).public.hex(),
        "signing_key_id": hybrid_key_id(HYBRID.generate(seed).public).hex(),
        "agreement_public": AgreementKey(private).public.hex(),
    }
    for name, encoding in halves.items():
        nonce = random(12)
        sealed = aead.AES_256_GCM.seal(wrapping, nonce, encoding, name.encode())
        case[name] = (nonce + sealed).hex()
    return case


def _password(random: SeededRandom, memory_kib: int, passes: int, lanes: int) -> Case:
    secret, salt, length = random(20), random(32), 64
    key = password.argon2id(
        secret, salt, memory_kib=memory_kib, passes=passes, lanes=lanes, length=length
    )
    return {
        "password": secret.hex(),
        "salt": salt.hex(),
        "memory_kib": memory_kib,
        "passes": passes,
        "lanes": lanes,
        "length": length,
        "key": key.hex(),
    }


def main() -> None:
    random = SeededRandom(b"python_crypto.json")
    content = {
        "note": NOTE,
        "signatures": _signatures(random),
        "sealed": [_sealed(random, suite, size) for suite in SUITES for size in (0, 1, 1000)],
        "agreements": [_agreement(random) for _ in range(3)],
        "key_blobs": [_key_blobs(random) for _ in range(2)],
        "passwords": [_password(random, 64, 3, 1), _password(random, 1024, 2, 4)],
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
