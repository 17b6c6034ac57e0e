"""Finding and launching a real Chromium for tests (one profile of its own each time)."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None."""
    if Path("/usr/bin/chromium").exists():
        return "/usr/bin/chromium"
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def launch_chromium(playwright: Playwright, *extra_flags: str) -> Browser:
    """A headless browser: the system's, else the one that Playwright downloaded."""
    path = find_chromium()
    # Chromium's sandbox refuses to start as root.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *sandbox, *extra_flags])
