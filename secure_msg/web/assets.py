"""The bundle, style sheets and pictures: read once, served by the hash of them all.

`/static/<hash>/<path>` never changes and may be kept for ever. One hash over everything, because
the bundle's scripts name each other by relative paths. `/static/<path>` is the same for tools.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from secure_msg.crypto.hash import sha256

FOLDERS = ("css", "dist", "fonts", "img")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
WORKER = "dist/worker.js"
MIN_COMPRESSED = 1_024


@dataclass(frozen=True, slots=True)
class Asset:
    content_type: str
    data: bytes
    gzipped: bytes | None


class Assets:
    def __init__(self, folder: Path) -> None:
        found = [
            *folder.glob("*"),
            *(path for name in FOLDERS for path in (folder / name).rglob("*")),
        ]
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in found
            if path.suffix in TYPES and path.is_file()
        }
        parts = [
            part
            for path, data in sorted(self._files.items())
            for part in (path.encode(), sha256(data))
        ]
        self.hash = sha256(*parts).hex()[:16]
        self._assets = {path: _asset(path, data) for path, data in self._files.items()}

    def __contains__(self, path: str) -> bool:
        return path in self._assets

    def find(self, path: str) -> tuple[Asset, str, bool] | None:
        """The asset, its own path, and whether the address had the hash in it."""
        first, _, rest = path.partition("/")
        hashed = first == self.hash
        own = rest if hashed else path
        asset = self._assets.get(own)
        return None if asset is None else (asset, own, hashed)

    def styles(self) -> list[str]:
        """The paths of the style sheets that the page loads, in order."""
        return sorted(
            path for path in self._assets if path.startswith("css/") and path.count("/") == 1
        )

    def url(self, path: str) -> str:
        return f"/static/{self.hash}/{path}"


def _asset(path: str, data: bytes) -> Asset:
    content_type = TYPES[Path(path).suffix]
    packed = gzip.compress(data, 9, mtime=0) if len(data) >= MIN_COMPRESSED else data
    return Asset(content_type, data, packed if len(packed) < len(data) else None)
