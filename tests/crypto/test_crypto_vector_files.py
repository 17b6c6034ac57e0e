"""The loader refuses what it does not know, and no vector file lies unused."""

import ast
import json
import shutil
from pathlib import Path

import pytest

from tests.crypto.vector_files import (
    FOLDERS,
    ROOT,
    SHAPES,
    VectorError,
    load_flat,
    load_grouped,
    load_object,
    vector_files,
)

NAME = "wycheproof/x25519_test.json"


def _copy(tmp_path: Path, change: dict[str, object]) -> Path:
    (tmp_path / "wycheproof").mkdir()
    document = json.loads((ROOT / NAME).read_text("utf-8"))
    document.update(change)
    (tmp_path / NAME).write_text(json.dumps(document))
    return tmp_path


def test_an_unchanged_copy_loads(tmp_path: Path) -> None:
    assert len(load_grouped(NAME, _copy(tmp_path, {}))) == 258


def test_an_unknown_top_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="unknown keys"):
        load_grouped(NAME, _copy(tmp_path, {"surprise": 1}))


@pytest.mark.parametrize("place", ["group", "case"])
def test_an_unknown_inner_key_is_refused(tmp_path: Path, place: str) -> None:
    groups = json.loads((ROOT / NAME).read_text("utf-8"))["testGroups"]
    target = groups[0] if place == "group" else groups[0]["tests"][0]
    target["surprise"] = 1
    with pytest.raises(VectorError, match="unknown keys"):
        load_grouped(NAME, _copy(tmp_path, {"testGroups": groups}))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="holds 0 cases"):
        load_grouped(NAME, _copy(tmp_path, {"testGroups": []}))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(VectorError, match="empty"):
        load_flat("list.json", count=0, case="a", root=tmp_path)


def test_a_flat_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('[{"a": 1, "b": 2}]')
    with pytest.raises(VectorError, match="unknown keys"):
        load_flat("list.json", count=1, case="a", root=tmp_path)


def test_an_object_must_have_exactly_its_keys(tmp_path: Path) -> None:
    (tmp_path / "object.json").write_text('{"a": 1, "b": 2}')
    with pytest.raises(VectorError, match="unknown"):
        load_object("object.json", keys="a", root=tmp_path)
    with pytest.raises(VectorError, match="lacks"):
        load_object("object.json", keys="a b c", root=tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    for folder in FOLDERS[:-1]:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / FOLDERS[-1]).mkdir()
    with pytest.raises(VectorError, match="holds no vectors"):
        list(vector_files(tmp_path))


def _names_loaded_by(source: Path) -> set[str]:
    loaders = {"load_grouped", "load_flat", "load_object"}
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in loaders
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_every_vector_file_is_loaded_by_some_test() -> None:
    here = Path(__file__)
    sources = [path for path in here.parent.glob("test_*.py") if path != here]
    loaded = set().union(*(_names_loaded_by(source) for source in sources))
    assert set(vector_files()) - loaded == set()
    assert set(SHAPES) - loaded == set()
