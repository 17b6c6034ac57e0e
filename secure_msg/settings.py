"""Every setting of the server: its name, type, default and meaning, in one table.

Read from the environment, and from `.env` for what the environment does not say. A wrong value is
refused with a sentence that names the setting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "SECURE_MSG_"


class BadSetting(Exception):
    """A setting has a value that it cannot have; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `default` is written as the operator would write it; "" is unset."""

    name: str
    type: str
    default: str
    meaning: str
    read: Callable[[str], Any]

    @property
    def variable(self) -> str:
        return PREFIX + self.name


def _text(value: str) -> str:
    return value


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return read


def _choice(*options: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in options:
            raise ValueError("must be one of " + ", ".join(options))
        return value

    return read


def _host(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:\-]{1,253}", value):
        raise ValueError("must be an address or host name to listen on, such as 127.0.0.1 or ::")
    return value


def _folder(value: str) -> Path:
    if not value or "\0" in value:
        raise ValueError("must be a folder")
    return Path(value)


def _ledger_name(value: str) -> str:
    if value and not re.fullmatch(r"[0-9A-Za-z.\-]{1,200}(/[0-9A-Za-z.\-_]{1,50})?", value):
        raise ValueError("must look like chat.example.org/log: letters, digits, '.', '-', one '/'")
    return value


def _token(value: str) -> str:
    if value and not re.fullmatch(r"[!-~]{16,256}", value):
        raise ValueError("must have 16 to 256 characters of ASCII without spaces")
    return value


def _database_url(value: str) -> str:
    if value and urlsplit(value).scheme not in ("postgresql", "postgres"):
        raise ValueError("must look like postgresql://name:password@host:5432/database")
    return value


def _redis_url(value: str) -> str:
    if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must look like redis://:password@host:6379/0")
    return value


def _public_urls(value: str) -> tuple[str, ...]:
    return tuple(_origin(part.strip()) for part in value.split(",") if part.strip())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and not parts.username
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise ValueError("must be addresses such as https://chat.example.org, joined by commas")
    return f"{parts.scheme}://{parts.netloc.lower()}"


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "address", "127.0.0.1", "The address to listen on.", _host),
    Setting(
        "PORT",
        "0 to 65535",
        "5000",
        "The port to listen on; 0 takes a free one.",
        _integer(0, 65_535),
    ),
    Setting(
        "STORAGE", "folder", "storage", "Where everything is kept; back it up as a whole.", _folder
    ),
    Setting(
        "DATABASE_URL",
        "postgresql://…",
        "",
        "Keeps the store in PostgreSQL, for more than one process or host "
        "([scaling](docs/scaling.md)); the storage folder then holds the keys alone.",
        _database_url,
    ),
    Setting(
        "REDIS_URL",
        "redis://…",
        "",
        "Carries announcements between processes that share a database.",
        _redis_url,
    ),
    Setting(
        "PASSPHRASE",
        "text",
        "",
        "Seals the server's private keys. Without it they are sealed "
        "by a key file in the storage folder.",
        _text,
    ),
    Setting(
        "ORIGIN",
        "ledger name",
        "",
        "The name of the ledger in its checkpoints, fixed at the "
        "first start; made from the server's key when empty.",
        _ledger_name,
    ),
    Setting(
        "PUBLIC_URL",
        "addresses",
        "",
        "The addresses that browsers use, joined by commas. When "
        "empty, localhost and numeric addresses, and behind trusted proxies the address that a "
        "request names itself (safe when they check the Host header).",
        _public_urls,
    ),
    Setting(
        "REGISTRATION",
        "open, closed",
        "open",
        "Whether people may make accounts.",
        _choice("open", "closed"),
    ),
    Setting(
        "TRUSTED_PROXIES",
        "0 to 8",
        "0",
        "How many proxies in front of this server add to "
        "X-Forwarded-For and -Proto; 0 ignores these headers.",
        _integer(0, 8),
    ),
    Setting(
        "SESSION_DAYS",
        "1 to 365",
        "30",
        "After how many unused days a sign-in ends.",
        _integer(1, 365),
    ),
    Setting(
        "FOLDER_QUOTA_MIB",
        "1 to 1048576",
        "512",
        "How much one person's private folder may hold.",
        _integer(1, 1_048_576),
    ),
    Setting(
        "DISK_FLOOR_MIB",
        "0 to 1048576",
        "64",
        "How much of the disk stays free: with less, nothing is accepted until there is room "
        "again. Reading goes on.",
        _integer(0, 1_048_576),
    ),
    Setting(
        "MAX_CONNECTIONS",
        "16 to 65536",
        "4096",
        "How many connections, sockets included, are served at once.",
        _integer(16, 65_536),
    ),
    Setting(
        "RATE_FACTOR",
        "1 to 100000",
        "1",
        "Multiplies every rate limit; for tests and load measurements.",
        _integer(1, 100_000),
    ),
    Setting(
        "METRICS_TOKEN",
        "16 to 256 characters",
        "",
        "Whoever shows it as a bearer token may read /metrics. When empty, "
        "only direct connections from this machine may.",
        _token,
    ),
    Setting(
        "LOG_LEVEL",
        "debug, info, warning, error",
        "info",
        "How much is logged, as one JSON object a line on standard error.",
        _choice("debug", "info", "warning", "error"),
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The read values; a field is its setting's name in lower case."""

    host: str
    port: int
    storage: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    passphrase: str = field(repr=False)
    origin: str
    public_url: tuple[str, ...]
    registration: str
    trusted_proxies: int
    session_days: int
    folder_quota_mib: int
    disk_floor_mib: int
    max_connections: int
    rate_factor: int
    metrics_token: str = field(repr=False)
    log_level: str


def read_settings(environment: Mapping[str, str | None]) -> Settings:
    """Raises BadSetting. An unknown SECURE_MSG_ variable is a typing mistake, and refused."""
    known = {setting.variable for setting in SETTINGS}
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in known:
            raise BadSetting(f"{variable} is not a setting; see the table in README.md.")
    values = {setting.name.lower(): _read(setting, environment) for setting in SETTINGS}
    if values["redis_url"] and not values["database_url"]:
        raise BadSetting(f"{PREFIX}REDIS_URL is of use with {PREFIX}DATABASE_URL only.")
    return Settings(**values)


def _read(setting: Setting, environment: Mapping[str, str | None]) -> Any:
    text = environment.get(setting.variable)
    try:
        return setting.read(setting.default if text is None else text)
    except ValueError as error:
        raise BadSetting(f"{setting.variable} {error}.") from None
