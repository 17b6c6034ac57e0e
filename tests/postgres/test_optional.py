"""PostgreSQL and Redis are for those who set them: refused when wrong, unknown when not set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secure_msg.settings import BadSetting, read_settings
from tests.support.databases import free_port
from tests.support.server import ServerFailed, ServerProcess

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
from dataclasses import replace
from pathlib import Path
from secure_msg.bootstrap import build
from secure_msg.settings import read_settings

server = build(replace(read_settings({}), storage=Path(sys.argv[1])))
print(sorted({"psycopg", "psycopg_pool", "redis"} & set(sys.modules)))
server.close()
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://name:secret@host/base"),
        ("DATABASE_URL", "secret"),
        ("REDIS_URL", "http://:secret@host"),
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({f"SECURE_MSG_{name}": value})
    assert f"SECURE_MSG_{name} must look like" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_redis_alone_is_refused() -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL"):
        read_settings({"SECURE_MSG_REDIS_URL": "redis://host"})


def test_the_urls_are_not_shown() -> None:
    urls = {
        "SECURE_MSG_DATABASE_URL": "postgresql://name:secret@host/base",
        "SECURE_MSG_REDIS_URL": "redis://:secret@host",
    }
    assert "secret" not in repr(read_settings(urls))


def test_without_a_url_nothing_of_them_is_imported(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "storage")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout == "[]\n", ran.stderr


def test_a_database_that_does_not_answer_is_said_in_a_sentence(tmp_path: Path) -> None:
    url = f"postgresql://name:secret@127.0.0.1:{free_port()}/base"
    server = ServerProcess(tmp_path / "storage", {"DATABASE_URL": url})
    with pytest.raises(ServerFailed) as failed:
        server.start()
    assert "SECURE_MSG_DATABASE_URL does not answer" in str(failed.value)
    assert "secret@" not in str(failed.value)
