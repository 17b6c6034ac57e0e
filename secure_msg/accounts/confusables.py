"""The skeleton of Unicode TS 39 section 4, over the data of the `confusable_homoglyphs` package.

The package lists pairs of look-alikes without saying which one is the prototype, so each set of
look-alikes is given one representative here: its sequence of several characters if it has one
(only prototypes are sequences), else its ASCII letter, else its lowest code point.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from confusable_homoglyphs import categories, confusables

_WRAP = "\u200e"
_MAX_EXPANSION = 4


def skeleton(text: str) -> str:
    """Equal for texts that look alike; no other meaning."""
    parts = unicodedata.normalize("NFD", text)
    for _ in range(_MAX_EXPANSION):
        mapped = "".join(_PROTOTYPES.get(char, char) for char in parts)
        if mapped == parts:
            break
        parts = mapped
    return unicodedata.normalize("NFD", parts)


def script(char: str) -> str:
    """The Unicode script of a character, as the package spells it ("LATIN", "COMMON", ...)."""
    name: str = categories.alias(char)  # type: ignore[no-untyped-call]
    return name.upper()


def _prototypes(pairs: Mapping[str, Any]) -> dict[str, str]:
    """Of each character that has look-alikes, the representative of its set."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for char, alike in pairs.items():
        for other in alike:
            parent[find(char.strip(_WRAP))] = find(other["c"].strip(_WRAP))
    sets: dict[str, list[str]] = {}
    for node in parent:
        sets.setdefault(find(node), []).append(node)
    chosen = {root: min(nodes, key=_preference) for root, nodes in sets.items()}
    return {node: chosen[find(node)] for node in parent if len(node) == 1}


def _preference(node: str) -> tuple[int, str]:
    if len(node) > 1:
        return 0, node
    if node.isascii() and node.isalpha():
        return (1 if node.islower() else 2), node
    return 3, node


if not confusables.confusables_data:
    raise ImportError("the pairs of look-alikes are gone: somebody has taken them already")
_PROTOTYPES = _prototypes(confusables.confusables_data)
# Nothing else asks for the pairs, and they take six megabytes.
confusables.confusables_data.clear()
