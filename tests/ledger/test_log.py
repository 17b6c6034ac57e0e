"""Log leaves, touched roots and the files of tlog-tiles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_msg.codec.errors import MalformedData
from secure_msg.crypto.hash import sha256
from secure_msg.ledger import merkle, tiles
from secure_msg.ledger.log import GenesisLeaf, LogLeaf, Touched, touched_hash, touched_root
from secure_msg.ledger.tiles import Tile, parse_path, tiles_of_growth

A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))


def test_leaves_are_eighty_bytes() -> None:
    leaf = LogLeaf(1_800_000_000_000, A, B)
    assert leaf.to_bytes().hex() == "534d4c4541460001" + "000001a3185c5000" + A.hex() + B.hex()
    assert LogLeaf.from_bytes(leaf.to_bytes()) == leaf
    genesis = GenesisLeaf(5, A, B)
    assert genesis.to_bytes().startswith(b"SMGENS\x00\x01")
    assert GenesisLeaf.from_bytes(genesis.to_bytes()) == genesis
    data = leaf.to_bytes()
    for bad in (data[:-1], data + b"\x00", genesis.to_bytes(), data[:7] + b"\x02" + data[8:], b""):
        with pytest.raises(MalformedData):
            LogLeaf.from_bytes(bad)
    with pytest.raises(MalformedData):
        LogLeaf.from_bytes(data[:8] + b"\x00\x20" + bytes(6) + data[16:])
    with pytest.raises(ValueError, match="32 bytes"):
        LogLeaf(0, A[:31], B).to_bytes()


def test_touched_root_is_sorted_by_chain() -> None:
    one, two, three = Touched(A, 1, C, B), Touched(B, 2, C, A), Touched(C, 3, A, A)
    expected = merkle.root_of(touched_hash(item) for item in (one, two, three))
    assert touched_root([three, one, two]) == expected
    assert touched_root([]) == bytes(32)
    assert touched_root([one]) == sha256(b"\x00" + B + A + bytes(7) + b"\x01" + C)
    with pytest.raises(ValueError, match="once"):
        touched_root([one, Touched(A, 2, C, B)])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(1, 1234), "tile/1/x001/234"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(None, 999, 1), "tile/entries/999.p/1"),
        (Tile(None, 1000), "tile/entries/x001/000"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/234",
        "tile/0/x001/x234",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/../000",
        "tile/-1/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/entries",
        "/tile/0/000",
        "tile/0/" + "x001/" * 40 + "000",
    ],
)
def test_attack_30_paths_that_are_not_of_a_tile(path: str) -> None:
    assert parse_path(path) is None


def test_known_growth() -> None:
    assert [t.path for t in tiles_of_growth(0, 1)] == ["tile/entries/000.p/1", "tile/0/000.p/1"]
    assert [t.path for t in tiles_of_growth(255, 257)] == [
        "tile/entries/000",
        "tile/entries/001.p/1",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
    ]
    assert [t.path for t in tiles_of_growth(70_000, 70_000)] == []
    assert [t.path for t in tiles_of_growth(65_535, 65_536)] == [
        "tile/entries/255",
        "tile/0/255",
        "tile/1/000",
        "tile/2/000.p/1",
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=1, max_size=6))
def test_a_log_can_be_read_back_from_its_tiles(steps: list[int]) -> None:
    nodes: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        return nodes[level, index]

    frontier, files = merkle.EMPTY, {}
    for step in steps:
        old = frontier.size
        for number in range(old, old + step):
            frontier, completed = frontier.grown(merkle.leaf_hash(number.to_bytes(4, "big")))
            nodes.update(((one.level, one.index), one.hash) for one in completed)
        for tile in tiles_of_growth(old, frontier.size):
            if tile.level is not None:
                data = tiles.tile_bytes(tile, node)
                files[tile.path] = tiles.tile_hashes(data, tile.width)
    size = frontier.size
    for level in (0, 1):
        count = size >> 8 * level
        for index in range(-(-count // 256)):
            path = Tile(level, index, min(256, count - 256 * index)).path
            expected = tuple(nodes[8 * level, 256 * index + i] for i in range(len(files[path])))
            assert files[path] == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles(entries: list[bytes]) -> None:
    data = tiles.bundle_bytes(entries)
    assert tiles.bundle_entries(data, len(entries)) == tuple(entries)
    for bad, width in (
        (data + b"\x00", len(entries)),
        (data, len(entries) + 1),
        (data + b"\x00\x01", len(entries) + 1),
    ):
        with pytest.raises(MalformedData):
            tiles.bundle_entries(bad, width)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="65535"):
        tiles.bundle_bytes([bytes(65_536)])
    with pytest.raises(MalformedData):
        tiles.tile_hashes(bytes(33), 1)
