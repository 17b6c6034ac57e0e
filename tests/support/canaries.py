"""Looking for secrets in bytes, in every spelling in which they could have got there."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

ANCHOR = 8


@dataclass(frozen=True, order=True)
class Find:
    """A canary's name, the spelling that was found, and where."""

    canary: str
    spelling: str
    place: str


def spellings(value: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each spelling of a byte string that is not itself."""
    yield "hex", value.hex().encode()
    yield "HEX", value.hex().upper().encode()
    for shift in range(3):
        # The part of the Base64 text that does not depend on what stands around the value.
        coded = base64.b64encode(bytes(shift) + value)
        part = coded[-(-shift * 8 // 6) : (shift + len(value)) * 8 // 6]
        yield f"base64+{shift}", part
        yield f"base64url+{shift}", part.translate(bytes.maketrans(b"+/", b"-_"))
    yield "base32", base64.b32encode(value).rstrip(b"=")[: len(value) * 8 // 5]
    digest = hashlib.sha256(value).digest()
    yield "sha256", digest
    yield "sha256 hex", digest.hex().encode()
    yield "sha256 base64", base64.b64encode(digest).rstrip(b"=")
    yield "sha512", hashlib.sha512(value).digest()


def text_spellings(text: str) -> Iterator[tuple[str, bytes]]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        yield encoding, text.encode(encoding)
    yield "json", json.dumps(text)[1:-1].encode()
    yield "url", quote(text, safe="").encode()
    yield "form", quote_plus(text).encode()
    yield "backwards", text[::-1].encode()
    yield from spellings(text.encode())
    for name, coded in spellings(text.encode("utf-16-le")):
        yield f"utf-16 {name}", coded


class Search:
    """Many canaries at once, in one pass over the bytes. A canary has at least 8 of them."""

    def __init__(self, canaries: Mapping[str, str | bytes]) -> None:
        self._by_anchor: dict[bytes, set[tuple[bytes, str, str]]] = defaultdict(set)
        for canary, value in canaries.items():
            if isinstance(value, str):
                self._add(canary, text_spellings(value))
            else:
                self._add(canary, [("raw", value), *spellings(value)])

    def _add(self, canary: str, forms: Iterable[tuple[str, bytes]]) -> None:
        for spelling, needle in forms:
            if len(needle) < ANCHOR:
                raise ValueError(f"{canary}: too short to be looked for")
            self._by_anchor[needle[:ANCHOR]].add((needle, canary, spelling))

    def find(self, places: Mapping[str, bytes]) -> set[Find]:
        """Everything that stands somewhere in these byte strings."""
        found = set()
        for place, data in places.items():
            for at in range(len(data) - ANCHOR + 1):
                for needle, canary, spelling in self._by_anchor.get(data[at : at + ANCHOR], ()):
                    if data.startswith(needle, at):
                        found.add(Find(canary, spelling, place))
        return found
