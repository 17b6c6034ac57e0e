"""The map root of every log leaf, made again from the first one on: `verify --deep`."""

from __future__ import annotations

from collections.abc import Mapping

from secure_msg.ledger.map import Leaf, SparseMap, chain_label, head_value, name_label, name_value


class MapHistory:
    """What each commit put into the map; about 300 bytes a touched chain and commit.

    A name has no log index of its own: it belongs to the commit that began its account, as
    registration is the one place that claims names.
    """

    def __init__(self, names: Mapping[str, bytes], salt: bytes) -> None:
        self._map = SparseMap()
        self._leaves: dict[int, list[Leaf]] = {}
        self._names: dict[bytes, list[Leaf]] = {}
        for skeleton, account in names.items():
            leaf = name_label(salt, skeleton), name_value(account)
            self._names.setdefault(account, []).append(leaf)

    def touch(self, index: int, chain: bytes, size: int, root: bytes) -> None:
        """The commit `index` left this chain with `size` entries and `root`."""
        leaves = self._leaves.setdefault(index, [])
        leaves.append((chain_label(chain), head_value(size, root)))
        leaves += self._names.pop(chain, [])

    def after(self, index: int) -> bytes:
        """The map's root after the commit `index`; ask for each one, in order."""
        return self._map.update(self._leaves.pop(index, []))
