"""Settings: every one read, refused with a sentence when wrong, and listed in one table."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from secure_msg.bootstrap import settings_from_environment
from secure_msg.settings import SETTINGS, BadSetting, Settings, read_settings


def test_the_table_and_the_record_are_one():
    assert [field.name for field in fields(Settings)] == [one.name.lower() for one in SETTINGS]
    assert all(one.meaning.endswith(".") and one.type for one in SETTINGS)


def test_nothing_need_be_set():
    settings = read_settings({})
    assert (settings.host, settings.registration) == ("127.0.0.1", "open")
    assert settings.storage == Path("storage")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "not a host"),
        ("HOST", ""),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٨٠"),
        ("PORT", "1e3"),
        ("STORAGE", ""),
        ("ORIGIN", "two/slashes/here"),
        ("ORIGIN", "spaces are wrong"),
        ("PUBLIC_URL", "chat.example.org"),
        ("PUBLIC_URL", "ftp://chat.example.org"),
        ("PUBLIC_URL", "https://chat.example.org/path"),
        ("PUBLIC_URL", "https://user@chat.example.org"),
        ("PUBLIC_URL", "https://"),
        ("REGISTRATION", "maybe"),
        ("TRUSTED_PROXIES", "9"),
        ("SESSION_DAYS", "0"),
        ("FOLDER_QUOTA_MIB", "0"),
        ("MAX_CONNECTIONS", "1"),
        ("RATE_FACTOR", "0"),
        ("METRICS_TOKEN", "fifteen-letters"),
        ("METRICS_TOKEN", "sixteen letters!"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(name, value):
    with pytest.raises(BadSetting) as refused:
        read_settings({f"SECURE_MSG_{name}": value})
    said = str(refused.value)
    assert said.startswith(f"SECURE_MSG_{name} must ")
    assert said.endswith(".")


def test_a_misspelt_setting_is_refused():
    with pytest.raises(BadSetting, match="SECURE_MSG_PROT is not a setting"):
        read_settings({"SECURE_MSG_PROT": "80"})


def test_public_addresses_are_origins():
    settings = read_settings(
        {"SECURE_MSG_PUBLIC_URL": "https://Chat.Example.org/, http://localhost:8000"}
    )
    assert settings.public_url == ("https://chat.example.org", "http://localhost:8000")


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SECURE_MSG_PORT=1234\nSECURE_MSG_LOG_LEVEL=debug\n")
    monkeypatch.setenv("SECURE_MSG_PORT", "4321")
    settings = settings_from_environment(tmp_path)
    assert (settings.port, settings.log_level) == (4321, "debug")
    assert settings.storage == tmp_path / "storage"
