"""Reads tests/vectors strictly: a missing, empty or differently shaped file is a failure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1] / "vectors"
FOLDERS = ("wycheproof", "acvp", "cctv", "falcon", "hybrid_kem", "kdf")

Case = dict[str, Any]


class VectorError(Exception):
    """A vector file is not what its reader was written for."""


@dataclass(frozen=True)
class Grouped:
    """The Wycheproof and ACVP shape: testGroups of tests. Keys as space-separated words."""

    count: int
    group: str
    case: str
    top: str = ""


_WYCHEPROOF_TOP = "algorithm schema header numberOfTests notes selection testGroups"
_WYCHEPROOF_CASE = " tcId comment flags result"
_ACVP_TOP = "vsId algorithm mode revision isSample selection testGroups"
_ACVP_GROUP = "tgId testType parameterSet tests"


def _wycheproof(count: int, group: str, case: str) -> Grouped:
    return Grouped(count, "type source tests " + group, case + _WYCHEPROOF_CASE, _WYCHEPROOF_TOP)


def _acvp(count: int, group: str, case: str) -> Grouped:
    return Grouped(count, f"{_ACVP_GROUP} {group}", "tcId " + case, _ACVP_TOP)


_AEAD = ("ivSize keySize tagSize", "key iv aad msg ct tag")
_HKDF = ("keySize", "ikm salt info size okm")
_HMAC = ("keySize tagSize", "key msg tag")
_PBKDF2 = ("", "password salt iterationCount dkLen dk")
_MLDSA_SIGN = "msg mu ctx rnd sig"

SHAPES: dict[str, Grouped] = {
    "wycheproof/aes_gcm_test.json": _wycheproof(52, *_AEAD),
    "wycheproof/chacha20_poly1305_test.json": _wycheproof(162, *_AEAD),
    "wycheproof/xchacha20_poly1305_test.json": _wycheproof(157, *_AEAD),
    "wycheproof/aes_kwp_test.json": _wycheproof(46, "keySize", "key msg ct"),
    "wycheproof/hkdf_sha256_test.json": _wycheproof(43, *_HKDF),
    "wycheproof/hkdf_sha512_test.json": _wycheproof(43, *_HKDF),
    "wycheproof/hmac_sha256_test.json": _wycheproof(87, *_HMAC),
    "wycheproof/hmac_sha512_test.json": _wycheproof(87, *_HMAC),
    "wycheproof/pbkdf2_hmacsha256_test.json": _wycheproof(30, *_PBKDF2),
    "wycheproof/pbkdf2_hmacsha512_test.json": _wycheproof(30, *_PBKDF2),
    "wycheproof/x25519_test.json": _wycheproof(258, "curve", "public private shared"),
    "wycheproof/ed25519_test.json": _wycheproof(
        76, "publicKey publicKeyDer publicKeyPem publicKeyJwk", "msg sig"
    ),
    "wycheproof/mldsa_65_sign_seed_test.json": _wycheproof(
        55, "privateSeed privateKeyPkcs8 publicKey", _MLDSA_SIGN
    ),
    "wycheproof/mldsa_65_sign_noseed_test.json": _wycheproof(
        40, "privateKey publicKey", _MLDSA_SIGN
    ),
    "wycheproof/mldsa_65_verify_test.json": _wycheproof(
        103, "publicKey publicKeyDer", "msg ctx sig"
    ),
    "wycheproof/mlkem_1024_test.json": _wycheproof(96, "parameterSet", "seed ek c K"),
    "wycheproof/mlkem_1024_encaps_test.json": _wycheproof(134, "parameterSet", "m ek c K"),
    "wycheproof/mlkem_1024_keygen_seed_test.json": _wycheproof(50, "parameterSet", "seed ek dk"),
    "wycheproof/mlkem_1024_semi_expanded_decaps_test.json": _wycheproof(
        4, "parameterSet", "dk ek c K"
    ),
    "acvp/ML-KEM-keyGen.json": _acvp(13, "", "d z ek dk"),
    "acvp/ML-KEM-encapDecap.json": _acvp(
        32, "function keyFormat", "ek dk d z m c k reason testPassed"
    ),
    "acvp/ML-DSA-keyGen.json": _acvp(12, "", "seed pk sk"),
    "acvp/ML-DSA-sigGen.json": _acvp(
        31,
        "keyFormat deterministic signatureInterface preHash externalMu",
        "message mu rnd seed context signature",
    ),
    "acvp/ML-DSA-sigVer.json": _acvp(
        26,
        "signatureInterface preHash externalMu",
        "testPassed pk message mu context signature reason",
    ),
    "acvp/SLH-DSA-keyGen.json": _acvp(60, "", "skSeed skPrf pkSeed sk pk"),
    "acvp/SLH-DSA-sigVer-internal.json": _acvp(
        11, "messageLengths", "testPassed pk messageLength message signature reason"
    ),
}


def _refuse_unknown(value: Any, known: str, where: str) -> None:
    if not isinstance(value, dict):
        raise VectorError(f"{where} is not an object")
    unknown = value.keys() - set(known.split())
    if unknown:
        raise VectorError(f"{where} has unknown keys: {sorted(unknown)}")


def _read(name: str, root: Path) -> Any:
    document = json.loads((root / name).read_text("utf-8"))
    if not document:
        raise VectorError(f"{name} is empty")
    return document


def load_grouped(name: str, root: Path = ROOT) -> list[tuple[Case, Case]]:
    """(group without its tests, case) for each case of a Wycheproof or ACVP file."""
    shape = SHAPES[name]
    document = _read(name, root)
    _refuse_unknown(document, shape.top, name)
    pairs = []
    for group in document["testGroups"]:
        _refuse_unknown(group, shape.group, f"{name}: a group")
        for case in group["tests"]:
            _refuse_unknown(case, shape.case, f"{name}: a case")
            pairs.append(({key: group[key] for key in group if key != "tests"}, case))
    if len(pairs) != shape.count:
        raise VectorError(f"{name} holds {len(pairs)} cases, not {shape.count}")
    return pairs


def load_flat(
    name: str, *, count: int, case: str, top: str | None = None, root: Path = ROOT
) -> list[Case]:
    """The cases of a file that is a list, or (with `top`) an object with the list `cases`."""
    document = _read(name, root)
    if top is not None:
        _refuse_unknown(document, top, name)
        document = document["cases"]
    for entry in document:
        _refuse_unknown(entry, case, f"{name}: a case")
    if len(document) != count:
        raise VectorError(f"{name} holds {len(document)} cases, not {count}")
    return list(document)


def load_object(name: str, *, keys: str, root: Path = ROOT) -> Case:
    """A file that is one object with exactly these keys."""
    document = _read(name, root)
    _refuse_unknown(document, keys, name)
    missing = set(keys.split()) - document.keys()
    if missing:
        raise VectorError(f"{name} lacks {sorted(missing)}")
    return dict(document)


def vector_files(root: Path = ROOT) -> Iterator[str]:
    """Every JSON file of the folders that concern algorithms; an empty folder is an error."""
    for folder in FOLDERS:
        files = sorted((root / folder).glob("*.json"))
        if not files:
            raise VectorError(f"{folder} holds no vectors")
        yield from (f"{folder}/{path.name}" for path in files)


def unhex(value: str) -> bytes:
    return bytes.fromhex(value)
