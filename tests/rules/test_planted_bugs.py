"""The list of planted bugs neither rots nor differs from the page that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.planted import PLANTED, Planted, planted_in, table

ROOT = Path(__file__).resolve().parents[2]


def test_there_are_enough_and_each_has_its_name() -> None:
    names = [one.name for one in PLANTED]
    assert len(names) >= 10
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_what_a_bug_replaces_is_there_exactly_once(bug: Planted) -> None:
    """Raises Rotten where it is not: mend the table of tools/planted.py."""
    changed = planted_in(bug, ROOT)
    assert changed != (ROOT / bug.path).read_text()
    compile(changed, bug.path, "exec")
    file, _, test = bug.caught_by.partition("::")
    assert f"def {test}" in (ROOT / file).read_text()


def test_the_page_shows_the_table() -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    assert table() in page, "put the output of tools/planted.py --list into docs/testing.md"
