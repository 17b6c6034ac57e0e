"""Plant bugs on purpose, and demand that the tests catch each.

    python tools/planted.py            all of them
    python tools/planted.py a b        some, by name
    python tools/planted.py --list     the table of docs/testing.md

Each bug is one exact replacement in a copy of the last commit. First the tests must pass in the
copy as it is; then, with one bug at a time, those that are to catch it must fail.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 1800
"""A test that hangs with a bug in place has not caught it."""

FAILED = 1
"""pytest's exit code when tests ran and failed; any other is no catch."""

CONTRACT = "tests/store/test_store_contract_files.py"
CRASH = "tests/store/test_store_crash.py"
RECORDED = "tests/fault/test_recorded.py"
FLIPS = "tests/tamper/test_attack_17_flipped_bits.py"


@dataclass(frozen=True, slots=True)
class Planted:
    """`text` stands exactly once in the file at `path`; `bug` takes its place."""

    name: str
    path: str
    text: str
    bug: str
    caught_by: str


class Rotten(Exception):
    """The text that a bug replaces is not there exactly once any more."""


PLANTED = (
    Planted(
        "acknowledge before the fdatasync",
        "secure_msg/store/journal.py",
        "            file.append(_frame(self._key, index, payload))\n            file.sync()\n",
        "            file.append(_frame(self._key, index, payload))\n",
        RECORDED,
    ),
    Planted(
        "sign although the fdatasync failed",
        "secure_msg/store/committer.py",
        "                return self._refuse(error, batch)\n",
        "                log = prepared.published.log\n"
        "                note = self._keys.checkpoint(log.size, log.frontier.root())\n"
        "                sealed = Sealed(note, 0.0, 0.0)\n",
        f"{CRASH}::test_a_failed_fdatasync_is_not_tried_again",
    ),
    Planted(
        "try a failed fdatasync again",
        "secure_msg/store/durable.py",
        "        self._disk.sync_data(self._descriptor)\n",
        "        try:\n"
        "            self._disk.sync_data(self._descriptor)\n"
        "        except OSError:\n"
        "            self._disk.sync_data(self._descriptor)\n",
        f"{CRASH}::test_a_failed_fdatasync_is_not_tried_again",
    ),
    Planted(
        "skip the fsync of folders",
        "secure_msg/store/durable.py",
        "        for folder in folders:\n            self._disk.sync_folder(folder)\n",
        "",
        RECORDED,
    ),
    Planted(
        "unlink before the flush is durable",
        "secure_msg/store/background.py",
        "        if not flush.settled:\n            flush.written",
        "        parts.offload(lambda: self._clean(flush))\n"
        "        if not flush.settled:\n            flush.written",
        RECORDED,
    ),
    Planted(
        "forget a head",
        "secure_msg/store/flush.py",
        "            lines = [part.chain.record() for part in snapshot.chains]\n",
        "            lines = [part.chain.record() for part in snapshot.chains][1:]\n",
        CONTRACT,
    ),
    Planted(
        "cut a good tail",
        "secure_msg/store/journal.py",
        "            yield from segment.records\n",
        "            yield from segment.records[:-1]\n",
        RECORDED,
    ),
    Planted(
        "accept a torn record in the middle",
        "secure_msg/store/journal.py",
        "        if not segment.whole and (segment.valid_after or later or not segment.torn):\n",
        "        if not segment.whole and not segment.torn:\n",
        "tests/store/test_store_journal.py",
    ),
    Planted(
        "lose the register on replay",
        "secure_msg/store/stage.py",
        "        for register in batch.registers:\n",
        "        for register in batch.registers[:0]:\n",
        RECORDED,
    ),
    Planted(
        "reuse a version",
        "secure_msg/store/stage.py",
        "        version = put.expected_version + 1\n",
        "        version = put.expected_version or 1\n",
        CONTRACT,
    ),
    Planted(
        "let two compare-and-swaps of one version win",
        "secure_msg/store/overlay.py",
        "            if current[key] != put.expected_version:\n",
        "            if current[key] < put.expected_version:\n",
        CONTRACT,
    ),
    Planted(
        "drop the look-up of repeats",
        "secure_msg/store/overlay.py",
        "                if place is not None:\n",
        "                if place is not None and place[1] < 0:\n",
        CONTRACT,
    ),
    Planted(
        "refuse by what may still be lost",
        "secure_msg/store/committer.py",
        "        accepted = sum(isinstance(outcome, Committed) for _, outcome in outcomes)\n",
        "        for request, outcome in outcomes:\n"
        "            if not isinstance(outcome, Committed):\n"
        "                _settle(request, outcome)\n"
        "        outcomes = [one for one in outcomes if isinstance(one[1], Committed)]\n"
        "        accepted = len(outcomes)\n",
        "tests/store/test_store_answers.py",
    ),
    Planted(
        "follow a clock that went back",
        "secure_msg/store/files.py",
        "max(self._read_at, published.time)",
        "self._read_at",
        CONTRACT,
    ),
    Planted(
        "serve an unverified entry",
        "secure_msg/store/tree.py",
        "            if self.node(0, entry.sequence) != entry.leaf:\n",
        "            if self.node(0, entry.sequence) == b'':\n",
        FLIPS,
    ),
    Planted(
        "serve an unverified private file",
        "secure_msg/store/reader.py",
        " or sha256(blob) != file.content:\n",
        ":\n",
        FLIPS,
    ),
)


def planted_in(bug: Planted, root: Path) -> str:
    """The file's text with the bug in it. Raises Rotten."""
    text = (root / bug.path).read_text()
    if text.count(bug.text) != 1:
        raise Rotten(f"{bug.name}: its text stands {text.count(bug.text)} times in {bug.path}")
    return text.replace(bug.text, bug.bug)


def table() -> str:
    """The rows of docs/testing.md."""
    lines = ["| Bug | Planted in | Caught by |", "|---|---|---|"]
    lines += [f"| {one.name} | `{one.path}` | `{one.caught_by}` |" for one in PLANTED]
    return "\n".join(lines)


def copy_of_head(target: Path) -> None:
    with subprocess.Popen(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", str(target)], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise subprocess.CalledProcessError(archive.returncode, "git archive")


def run_tests(root: Path, tests: Sequence[str]) -> tuple[int | None, str]:
    """pytest's exit code, None when it did not end, and what it printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    with tempfile.TemporaryFile("w+") as said:
        try:
            done = subprocess.run(
                command,
                cwd=root,
                check=False,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE_SECONDS,
            )
            code: int | None = done.returncode
        except subprocess.TimeoutExpired:
            code = None
        said.seek(0)
        return code, said.read()


def catch(bug: Planted, root: Path) -> bool:
    """Whether its tests fail with the bug in place; the copy is clean again afterwards."""
    path = root / bug.path
    clean = path.read_text()
    path.write_text(planted_in(bug, root))
    try:
        code, said = run_tests(root, [bug.caught_by])
    finally:
        path.write_text(clean)
    caught = code == FAILED
    print(f"{'caught' if caught else 'MISSED'}: {bug.name} ({bug.caught_by})", flush=True)
    if not caught:
        print(said)
    return caught


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant bugs and demand that the tests catch them.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--list", action="store_true", help="print the table of docs/testing.md")
    given = parser.parse_args()
    if given.list:
        print(table())
        return 0
    chosen = [one for one in PLANTED if not given.names or one.name in given.names]
    if unknown := set(given.names) - {one.name for one in PLANTED}:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        root = Path(folder)
        copy_of_head(root)
        code, said = run_tests(root, sorted({one.caught_by for one in chosen}))
        if code != 0:
            print(f"The tests fail without any bug planted:\n{said}")
            return 1
        missed = [bug.name for bug in chosen if not catch(bug, root)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
