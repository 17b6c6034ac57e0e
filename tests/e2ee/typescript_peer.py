"""The TypeScript client as a process: JSON lines in, JSON lines out (tests/ts/interop/peer.ts)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.browser.pages import ROOT, find_node

_BUILD = """
import { build } from 'esbuild';
await build({ entryPoints: ['tests/ts/interop/peer.ts'], outfile: %s, bundle: true,
  format: 'esm', target: 'es2022', platform: 'node', logLevel: 'warning',
  banner: { js: "import { createRequire as __cr } from 'node:module'; " +
    "const require = __cr(import.meta.url);" } });
"""


def build_peer(folder: Path) -> Path:
    """The bundled script."""
    script = folder / "peer.mjs"
    subprocess.run(
        [find_node(), "--input-type=module", "-e", _BUILD % json.dumps(str(script))],
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    return script


class PeerError(Exception):
    """A refusal of the other language: the class of its error, and the rule."""

    def __init__(self, kind: str, rule: str) -> None:
        super().__init__(f"{kind}: {rule}")
        self.kind = kind


class TypeScriptPeer:
    """One account in TypeScript."""

    def __init__(self, script: Path) -> None:
        self._process = subprocess.Popen(
            [find_node(), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._number = 0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer; bytes go out as hex. Raises PeerError."""
        self._number += 1
        request = {"id": self._number, "command": command, **_plain(arguments)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == self._number
        if "error" in answer:
            raise PeerError(answer["error"]["kind"], answer["error"]["rule"])
        found: dict[str, Any] = answer["ok"]
        return found

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
