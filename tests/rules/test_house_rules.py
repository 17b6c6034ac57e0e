"""The house's rules as tests: what a reader may rely on without looking."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tools.settings_table import with_table

ROOT = Path(__file__).resolve().parents[2]
LINE_LIMIT = 420


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks or would track, by pattern."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return sorted(path for path in paths if path.exists())


PYTHON = [path for path in tracked("*.py") if path.is_relative_to(ROOT / "secure_msg")]
SOURCES = PYTHON + tracked("static/src/*.ts")


def test_there_is_something_to_hold_to_the_rules() -> None:
    assert len(PYTHON) > 20
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_handler_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}:{node.lineno} is a bare except"
        assert not isinstance(node, ast.Assert), f"{path}:{node.lineno} validates by assert"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINE_LIMIT
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


PURE = ("codec", "e2ee", "ledger", "accounts", "messages")
EDGES = {"flask", "os", "socket", "time", "random", "secrets", "pathlib", "threading", "subprocess"}


@pytest.mark.parametrize(
    "path",
    [path for path in PYTHON if path.parent.name in PURE],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_core_touches_no_edge(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    assert not tops & EDGES


CRYPTO_LIBRARIES = {"cryptography", "Crypto", "pqcrypto", "pqc", "oqs", "hashlib", "hmac"}


@pytest.mark.parametrize(
    "path",
    [path for path in PYTHON if path.relative_to(ROOT).parts[1] != "crypto"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_only_crypto_imports_crypto_libraries(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    assert not tops & CRYPTO_LIBRARIES


@pytest.mark.parametrize(
    "path", tracked("static/src/*.ts"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_markup_is_made_from_text(path: Path) -> None:
    text = path.read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "unsafeHTML", "document.write"):
        assert word not in text
    for store in ("localStorage", "sessionStorage"):
        assert store not in text
    if "crypto" not in path.parts:
        assert not re.search(r"from '(@noble|hash-wasm)", text), "crypto/ alone imports libraries"


def test_every_direct_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    for listed in sorted((ROOT / "requirements").glob("*.in")):
        for line in listed.read_text().splitlines():
            name = re.match(r"[A-Za-z0-9_-]+", line)
            if name and not line.startswith("-"):
                assert f"`{name.group()}`" in reasons, f"{name.group()} has no reason"
    package = (ROOT / "package.json").read_text()
    for name in re.findall(r'^    "((?:@[a-z-]+/)?[a-z0-9.-]+)": "\d', package, flags=re.MULTILINE):
        assert f"`{name}`" in reasons, f"{name} has no reason"


def test_pinned_files_name_no_registry() -> None:
    for name in ("requirements.txt", "requirements/dev.txt", "requirements/node.txt"):
        lines = (ROOT / name).read_text()
        assert "://" not in lines
        assert "--hash=sha256:" in lines
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_every_setting_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert with_table(readme) == readme, "run tools/settings_table.py"


def test_the_readme_names_files_that_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    named = re.findall(
        r"`((?:static/src|secure_msg|tests|docs)/[\w/.-]+)`|\]\((docs/[\w/.-]+)\)", text
    )
    paths = {first or second for first, second in named}
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path


def test_each_promise_names_a_test_that_is_there() -> None:
    promised = (ROOT / "docs" / "threats.md").read_text().split("## Not promised")[0]
    sources = {path: path.read_text() for path in tracked("tests/*.py", "tests/*.ts")}
    names = [path.name for path in sources] + [
        name for text in sources.values() for name in re.findall(r"def (test_\w+)", text)
    ]
    numbers = re.findall(r"test_attack_(\d\d)_\*|`_(\d\d)_\*`", promised)
    assert len(numbers) > 15
    for pair in numbers:
        number = "".join(pair)
        assert any(f"attack_{number}" in name for name in names), f"attack {number} has no test"
    for path in re.findall(r"`(tests/[\w/.]+)`", promised):
        assert (ROOT / path).exists(), path
