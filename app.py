"""The server: `python app.py`.

First start makes everything that is needed; settings are environment variables or `.env`.
"""

# Before all other imports, as they take what is patched (E402 is left aside in pyproject.toml).
from gevent import monkey

monkey.patch_all()

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn.app.base import Application  # type: ignore[import-untyped]

from secure_msg.bootstrap import Server, build, settings_from_environment
from secure_msg.ledger.transaction import StoreError
from secure_msg.settings import BadSetting, Settings
from secure_msg.web.logs import init_logs

ROOT = Path(__file__).resolve().parent
# gunicorn's code for a worker that could not start: it stops instead of trying again.
BOOT_FAILED = 3

_running: list[Server] = []


def load_settings() -> Settings:
    """Ends the process with a sentence when a setting is wrong."""
    try:
        return settings_from_environment(ROOT)
    except BadSetting as error:
        sys.exit(f"secure-msg: {error}")


def application() -> Any:
    """The WSGI application, in the one worker process."""
    settings = load_settings()
    init_logs(settings.log_level)
    fresh = not (settings.storage / "server" / "keys").exists()
    try:
        server = build(settings)
    except (StoreError, OSError) as error:
        print(f"secure-msg: {error}", file=sys.stderr, flush=True)
        sys.exit(BOOT_FAILED)
    _running.append(server)
    # What the start made stays: later collections need not look through it again. Requests make
    # many small objects and hardly a cycle: looking for them at each 700 takes a twentieth of all.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    with suppress(AttributeError, OSError, TypeError):  # glibc gives back what the start has freed
        ctypes.CDLL(None).malloc_trim(0)
    if fresh:
        _welcome(settings, server)
    return server.web.wsgi


def announce(worker: Any) -> None:
    """Say the address, once it answers."""
    host, port = worker.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"SECURE-MSG is listening at http://{shown}:{port}", flush=True)


def finish() -> None:
    """Put everything into its files and let go of the folder."""
    while _running:
        _running.pop().close()


def _welcome(settings: Settings, server: Server) -> None:
    sealed = "your passphrase" if settings.passphrase else "server/seal.key in the same folder"
    print(
        f"A new server was made in {settings.storage}.\n"
        f"  Its ledger is {server.keys.identity.origin}, its id {server.keys.identity.id.hex()}.\n"
        f"  Its private keys are sealed by {sealed}.\n"
        "  Back up the whole folder; without its keys nobody can go on with these accounts.",
        flush=True,
    )


class Standalone(Application):  # type: ignore[misc]
    """gunicorn as configured in gunicorn.conf.py, without its command line."""

    def load_config(self) -> None:
        self.load_config_from_file(str(ROOT / "gunicorn.conf.py"))

    def load(self) -> Any:
        return application()


def main() -> None:
    init_logs(load_settings().log_level)
    # gunicorn.conf.py shall find this very module, not a second copy of it.
    sys.modules.setdefault("app", sys.modules[__name__])
    Standalone().run()


if __name__ == "__main__":
    main()
