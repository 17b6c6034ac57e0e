"""Which names people may have, and when two names are one (docs/spec/http.md, "Names")."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from secure_msg.accounts.confusables import script
from secure_msg.accounts.confusables import skeleton as looks_of
from secure_msg.accounts.errors import NameRefused
from secure_msg.crypto.hash import sha256

MIN_CHARACTERS = 3
MAX_CHARACTERS = 32
MAX_BYTES = 128
MAX_SKELETON = 1_024
MAX_TYPED = 128
SEPARATORS = "._-"

RESERVED = (
    "admin",
    "administrator",
    "root",
    "system",
    "server",
    "support",
    "help",
    "security",
    "securemsg",
    "secure-msg",
    "null",
    "undefined",
    "everyone",
    "here",
    "channel",
    "moderator",
    "owner",
    "abuse",
    "postmaster",
    "webmaster",
)

# Scripts that one language writes together (Unicode TS 39 section 5.1).
TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)

# Letters and marks that show nothing by themselves (Default_Ignorable_Code_Point in L and M).
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)


@dataclass(frozen=True, slots=True)
class Name:
    """`shown` as people see it; `skeletons` are all claimed, the first is the one looked up."""

    shown: str
    skeletons: tuple[str, ...]

    @property
    def skeleton(self) -> str:
        return self.skeletons[0]


def check_name(typed: str) -> Name:
    """The name that was typed, if it may be had. Raises NameRefused with a reason."""
    shown = unicodedata.normalize("NFC", typed[: MAX_TYPED + 1].strip())
    _check_length(shown)
    _check_characters(shown)
    _check_scripts(shown)
    name = Name(shown, _skeletons(shown))
    if any(len(skeleton.encode()) > MAX_SKELETON for skeleton in name.skeletons):
        raise NameRefused("too-long")
    if any(_bare(skeleton) in _reserved() for skeleton in name.skeletons):
        raise NameRefused("reserved")
    return name


def skeleton_of(typed: str) -> str:
    """What a typed name is looked up by; of any text, also one that nobody may have."""
    skeleton = _lookup_skeleton(unicodedata.normalize("NFC", typed.strip()))
    encoded = skeleton.encode("utf-8", "surrogatepass")
    if 0 < len(encoded) <= MAX_SKELETON and all(map(_plain, skeleton)):
        return skeleton
    return "?" + sha256(encoded).hex()


def _plain(char: str) -> bool:
    return char in SEPARATORS or unicodedata.category(char)[0] in "LMN"


def _check_length(shown: str) -> None:
    if len(shown) < MIN_CHARACTERS:
        raise NameRefused("too-short")
    if len(shown) > MAX_CHARACTERS or len(shown.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise NameRefused("too-long")


def _check_characters(shown: str) -> None:
    if unicodedata.normalize("NFKC", shown) != shown or _INVISIBLE.intersection(shown):
        raise NameRefused("characters")
    kinds = [unicodedata.category(char) for char in shown]
    if not kinds[0].startswith("L") and kinds[0] != "Nd":
        raise NameRefused("start")
    for char, kind in zip(shown, kinds, strict=True):
        if char not in SEPARATORS and kind[0] != "L" and kind not in ("Nd", "Mn", "Mc"):
            raise NameRefused("characters")
    if any(all(kind[0] == "M" for kind in kinds[at : at + 3]) for at in range(len(kinds) - 2)):
        raise NameRefused("characters")
    if len({ord(char) - unicodedata.decimal(char) for char in shown if char.isdecimal()}) > 1:
        raise NameRefused("digits")


def _check_scripts(shown: str) -> None:
    scripts = {script(char) for char in shown} - {"COMMON", "INHERITED"}
    if "UNKNOWN" in scripts:
        raise NameRefused("characters")
    if len(scripts) > 1 and not any(scripts <= together for together in TOGETHER):
        raise NameRefused("mixed-scripts")


def _skeletons(shown: str) -> tuple[str, ...]:
    """Of the folded name, and of the name as shown: "Iris" also keeps "lris" from others."""
    folded = _lookup_skeleton(shown)
    seen = looks_of(unicodedata.normalize("NFKC", shown)).casefold()
    return (folded,) if seen == folded else (folded, seen)


def _lookup_skeleton(text: str) -> str:
    return looks_of(unicodedata.normalize("NFKC", text).casefold()).casefold()


@cache
def _reserved() -> frozenset[str]:
    spellings = (spelling for word in RESERVED for spelling in (word, word.upper(), word.title()))
    return frozenset(_bare(skeleton) for word in spellings for skeleton in _skeletons(word))


def _bare(skeleton: str) -> str:
    return "".join(char for char in skeleton if char not in SEPARATORS)
