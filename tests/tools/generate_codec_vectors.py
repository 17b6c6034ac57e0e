"""Writes tests/vectors/project/codec.json.

Run from the repository's root: `python -m tests.tools.generate_codec_vectors`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from secure_msg.codec import cbor, statement
from secure_msg.codec.errors import CodecError, MalformedData
from secure_msg.codec.schema import from_bytes, from_json, to_bytes, to_json
from secure_msg.crypto.errors import CryptoError
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID, hybrid_key_id
from tests.codec.samples import FULL, PLAIN, Sample

PATH = Path(__file__).parent.parent / "vectors" / "project" / "codec.json"
MUTANTS = 400
ACCUMULATED = 2000
TYPE_NAME = "securemsg/test/1"

VALUES: list[tuple[str, cbor.Value]] = [
    ("zero", 0),
    ("23", 23),
    ("24", 24),
    ("255", 255),
    ("256", 256),
    ("65535", 65535),
    ("65536", 65536),
    ("2^32-1", 2**32 - 1),
    ("2^32", 2**32),
    ("largest", 2**53 - 1),
    ("minus one", -1),
    ("-24", -24),
    ("-25", -25),
    ("-2^32", -(2**32)),
    ("-2^32-1", -(2**32) - 1),
    ("least", -(2**53 - 1)),
    ("no bytes", b""),
    ("23 bytes", bytes(23)),
    ("24 bytes", bytes(24)),
    ("256 bytes", bytes(256)),
    ("no text", ""),
    ("text", "IETF"),
    ("two, three and four bytes a character", "ü水𐅑"),
    ("byte order mark", "\ufeffx"),
    ("long text with byte order mark", "\ufeff" + "y" * 40),
    ("noncharacter", "\uffff"),
    ("NUL in text", "a\x00b"),
    ("no items", []),
    ("constants", [True, False, None]),
    ("nested", [1, [b"two", ["three", []]], -4]),
    ("24 items", [0] * 24),
    ("16 deep", [[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]),
]

REFUSALS: list[tuple[str, str]] = [
    ("nothing", ""),
    ("trailing byte", "0000"),
    ("23 in two bytes", "1817"),
    ("255 in three bytes", "1900ff"),
    ("65535 in five bytes", "1a0000ffff"),
    ("2^32-1 in nine bytes", "1b00000000ffffffff"),
    ("2^53", "1b0020000000000000"),
    ("2^64-1", "1bffffffffffffffff"),
    ("-2^53", "3b001fffffffffffff"),
    ("-2^64", "3bffffffffffffffff"),
    ("-1 in two bytes", "3800"),
    ("short bytes with a long head", "580100"),
    ("bytes cut short", "42aa"),
    ("huge byte string", "5b7fffffffffffffff"),
    ("huge text", "7b7fffffffffffffff"),
    ("huge array", "9b7fffffffffffffff"),
    ("2^32 items claimed", "9b0000000100000000"),
    ("65535 items claimed", "99ffff00"),
    ("array cut short", "8201"),
    ("array head too long", "980100"),
    ("indefinite bytes", "5f41aaff"),
    ("indefinite text", "7f6161ff"),
    ("indefinite array", "9f01ff"),
    ("indefinite map", "bfff"),
    ("break", "ff"),
    ("reserved 28", "1c"),
    ("reserved 30", "7e"),
    ("empty map", "a0"),
    ("map", "a10102"),
    ("map in array", "81a0"),
    ("half float", "f93c00"),
    ("single float", "fa3f800000"),
    ("double float", "fb3ff0000000000000"),
    ("NaN", "f97e00"),
    ("undefined", "f7"),
    ("simple value 16", "f0"),
    ("simple value 32", "f820"),
    ("false in two bytes", "f814"),
    ("tag 0", "c074323031332d30332d32315432303a30343a30305a"),
    ("small bignum", "c24105"),
    ("big bignum", "c249010000000000000000"),
    ("decimal with a huge exponent", "c4821b7fffffffffffffff01"),
    ("bigfloat with a huge exponent", "c5821b7fffffffffffffff01"),
    ("shared cycle", "d81c81d81d00"),
    ("pattern", "d8236161"),
    ("set", "d901028101"),
    ("self-described", "d9d9f700"),
    ("COSE_Sign1", "d28440a04040"),
    ("tag cut short", "d2"),
    ("17 deep", "81" * 17 + "07"),
    ("very deep", "81" * 20000 + "07"),
    ("lone continuation", "6180"),
    ("overlong NUL", "62c080"),
    ("surrogate", "63eda080"),
    ("surrogate pair in CESU-8", "66eda081edb080"),
    ("beyond U+10FFFF", "64f4908080"),
    ("text cut within a character", "62c3"),
    ("long text with a bad byte", "7828" + "61" * 39 + "ff"),
]


def _plain(value: Any) -> Any:
    """The value as JSON, byte strings as {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _mutants() -> list[dict[str, Any]]:
    """Damaged encodings with their verdict, so that both languages accept the same set."""
    draw = SeededRandom(b"codec mutants")
    seeds = [to_bytes(FULL), to_bytes(PLAIN), cbor.encode(VALUES[29][1])]
    result = []
    for number in range(MUTANTS):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(1 + draw(1)[0] % 3):
            at = int.from_bytes(draw(2), "big") % len(data)
            match draw(1)[0] % 3:
                case 0:
                    data[at] = draw(1)[0]
                case 1:
                    data.insert(at, draw(1)[0])
                case _:
                    del data[at]
        result.append({"data": data.hex(), "cbor": _verdict(bytes(data)), "record": _sample(data)})
    return result


def _verdict(data: bytes) -> bool:
    try:
        cbor.decode(data, limit=1000)
    except MalformedData:
        return False
    return True


def _sample(data: bytes | bytearray) -> bool:
    try:
        from_bytes(Sample, bytes(data))
    except MalformedData:
        return False
    return True


def _random_value(draw: SeededRandom, depth: int) -> cbor.Value:
    """One value from a stream; tests/ts/codec/vectors.test.ts draws in the same order."""
    kind, size = draw(2)
    match kind % (7 if depth else 6):
        case 0:
            return int.from_bytes(draw(size % 7), "big")
        case 1:
            return -1 - int.from_bytes(draw(size % 7), "big")
        case 2:
            return draw(size)
        case 3:
            return "".join(
                chr(0x20 + int.from_bytes(draw(2), "big") % 0x5000) for _ in range(size % 30)
            )
        case 4:
            return size % 2 == 1
        case 5:
            return None
        case _:
            return [_random_value(draw, depth - 1) for _ in range(size % 6)]


def accumulated() -> str:
    draw, digest = SeededRandom(b"codec accumulated"), hashlib.sha256()
    for _ in range(ACCUMULATED):
        data = cbor.encode(_random_value(draw, 4))
        if cbor.encode(cbor.decode(data, limit=len(data))) != data:
            raise ValueError("a value changed on its way")
        digest.update(data)
    return digest.hexdigest()


def _record_refusals() -> list[dict[str, Any]]:
    values = cbor.decode(to_bytes(PLAIN), limit=1000)
    assert isinstance(values, list)
    changes: list[tuple[str, str, Any]] = [
        ("chain_id", "short", b"abc"),
        ("chain_id", "text", "abcd"),
        ("blob", "empty", b""),
        ("blob", "long", bytes(301)),
        ("count", "negative", -1),
        ("count", "boolean", True),
        ("small", "above", 1001),
        ("wide", "text", "0"),
        ("title", "empty", ""),
        ("title", "41 bytes in 21 characters", "é" * 20 + "x"),
        ("flag", "number", 1),
        ("flag", "null", None),
        ("colour", "unknown", "green"),
        ("parts", "four", [b"xx"] * 4),
        ("parts", "item of another size", [b"x"]),
        ("parts", "null item", [None]),
        ("notes", "text instead of a record", ["x"]),
        ("notes", "record with too many fields", [["x", "y"]]),
        ("previous", "33 bytes", bytes(33)),
        ("inner", "null", None),
        ("inner", "below", [-6]),
        ("inner", "no fields", []),
        ("body", "no kind", []),
        ("body", "unknown kind", ["what", 1]),
        ("body", "inherited kind", ["toString"]),
        ("body", "kind not text", [0, 1]),
        ("body", "kind of another record", ["note", 1]),
        ("body", "too many fields", ["none", 1]),
        ("reply", "kind that is not in this union", ["none"]),
    ]
    names = list(to_json(PLAIN))
    result = [
        {
            "id": f"{name}: {what}",
            "data": cbor.encode(
                [value if n == name else v for n, v in zip(names, values, strict=True)]
            ).hex(),
            "path": f"Sample.{name}",
        }
        for name, what, value in changes
    ]
    result.append(
        {"id": "a field too few", "data": cbor.encode(values[:-1]).hex(), "path": "Sample"}
    )
    result.append(
        {"id": "a field too many", "data": cbor.encode([*values, None]).hex(), "path": "Sample"}
    )
    result.append({"id": "not an array", "data": "00", "path": "Sample"})
    return result


def _json_refusals() -> list[dict[str, Any]]:
    good = to_json(FULL)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("unknown key", {"extra": 1}),
        ("camel case", {"chainId": good["chain_id"]}),
        ("padding", {"chain_id": "YWJjZA=="}),
        ("unused bits", {"chain_id": "YWJjZB"}),
        ("one character too many", {"chain_id": "YWJjZ"}),
        ("standard alphabet", {"blob": "+/+/"}),
        ("line break", {"chain_id": "YWJj\nZA"}),
        ("bytes as a list", {"chain_id": [1, 2, 3, 4]}),
        ("fraction", {"count": 1.5}),
        ("integer beyond 53 bits", {"count": 2**53}),
        ("integer as text", {"count": "1"}),
        ("boolean as integer", {"small": True}),
        ("integer as boolean", {"flag": 0}),
        ("null where none may be", {"title": None}),
        ("list where an object is due", {"inner": [0]}),
        ("nested unknown key", {"inner": {"level": 0, "x": 0}}),
        ("union without kind", {"body": {}}),
        ("union of unknown kind", {"body": {"kind": "toString"}}),
        ("union with a foreign key", {"body": {"kind": "none", "text": "x"}}),
        ("object where a list is due", {"parts": {}}),
    ]
    result: list[dict[str, Any]] = [
        {"id": what, "json": {**good, **change}} for what, change in changes
    ]
    missing = dict(good)
    del missing["previous"]
    return [*result, {"id": "missing key", "json": missing}, {"id": "a list", "json": []}]


def _statements() -> dict[str, Any]:
    key, other = (HYBRID.generate(bytes([n]) * 64) for n in (1, 2))
    payload = b"payload"
    good = statement.sign_statement(key, TYPE_NAME, payload)
    detached = statement.sign_detached(key, TYPE_NAME, payload)
    split = len(good) - 3373
    key_at = good.index(hybrid_key_id(key.public))
    ed, mldsa = detached[:64], detached[64:]
    bad: list[tuple[str, bytes]] = [
        ("payload changed", good.replace(payload, b"pAyload")),
        ("Ed25519 half changed", good[:split] + bytes([ed[0] ^ 1]) + ed[1:] + mldsa),
        ("ML-DSA-65 half changed", good[:split] + ed + bytes([mldsa[0] ^ 1]) + mldsa[1:]),
        ("of another key", statement.sign_statement(other, TYPE_NAME, payload)),
        ("another key's id", good[:key_at] + hybrid_key_id(other.public) + good[key_at + 32 :]),
        ("of another type", statement.sign_statement(key, "securemsg/test/2", payload)),
        ("untagged", good[1:]),
        ("trailing byte", good + b"\x00"),
        ("cut short", good[:-1]),
        (
            "algorithm -8",
            good.replace(bytes.fromhex("013a00010000"), bytes.fromhex("013a00000007")),
        ),
        ("unprotected header", good.replace(b"\xa0\x47payload", b"\xa1\x01\x02\x47payload")),
        ("payload detached", good.replace(b"\x47payload", b"\xf6")),
        ("payload with a long head", good.replace(b"\x47payload", b"\x58\x07payload")),
        ("tag in two bytes", b"\xd8\x12" + good[1:]),
    ]
    return {
        "statements": [
            {
                "id": "good",
                "public": key.public.hex(),
                "key_id": hybrid_key_id(key.public).hex(),
                "type_name": TYPE_NAME,
                "payload": payload.hex(),
                "statement": good.hex(),
                "detached": detached.hex(),
            }
        ],
        "statement_refusals": [
            {
                "id": what,
                "public": key.public.hex(),
                "type_name": TYPE_NAME,
                "statement": data.hex(),
                "error": _refusal(key.public, data),
            }
            for what, data in bad
        ],
    }


def _refusal(public: bytes, data: bytes) -> str:
    try:
        statement.open_statement(public, TYPE_NAME, data)
    except (CodecError, CryptoError) as error:
        return type(error).__name__
    raise ValueError("a statement that should be refused was opened")


def vectors() -> dict[str, Any]:
    samples = [("full", FULL), ("plain", PLAIN), ("edges", replace(FULL, wide=-1, body=FULL.inner))]
    for case in _json_refusals():
        try:
            from_json(Sample, case["json"])
        except MalformedData:
            continue
        raise ValueError(f"{case['id']} should be refused")
    return {
        "note": "docs/spec/encoding.md; hex. Refusals are MalformedData where they name no other.",
        "values": [
            {"id": name, "value": _plain(value), "cbor": cbor.encode(value).hex()}
            for name, value in VALUES
        ],
        "refusals": [{"id": name, "data": data} for name, data in REFUSALS],
        "mutants": _mutants(),
        "accumulated": {"seed": "codec accumulated", "count": ACCUMULATED, "sha256": accumulated()},
        "records": [
            {"id": name, "cbor": to_bytes(sample).hex(), "json": to_json(sample)}
            for name, sample in samples
        ],
        "record_refusals": _record_refusals(),
        "json_refusals": _json_refusals(),
        **_statements(),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
