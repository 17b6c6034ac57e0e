"""A folder for many small stores: in memory where the platform has such a place, so that a test of
thousands of folders does not wait for a disk. What needs a real one takes `tmp_path`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # Linux


@contextmanager
def memory_folder(prefix: str) -> Iterator[Path]:
    place = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as name:
        yield Path(name)
