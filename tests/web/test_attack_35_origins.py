"""Attack 35: whose page may change something, by the addresses that requests name."""

from __future__ import annotations

import pytest

from secure_msg.web.origins import Origins


def says(
    origins: Origins, host: str, origin: str | None, scheme: str = "http", **more: str
) -> bool:
    environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host, **more}
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin
    return origins.ours(environ)


@pytest.mark.parametrize(
    "host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "192.168.7.7", "app.localhost:80"]
)
def test_numbers_and_localhost_are_ours(host):
    origins = Origins((), any_name=False)
    assert says(origins, host, f"http://{host}")
    assert not says(origins, host, f"https://{host}")
    assert not says(origins, host, "http://127.0.0.2:5000")
    assert not says(origins, host, "null")
    assert not says(origins, host, None)
    assert not says(origins, host, f"http://{host}", HTTP_SEC_FETCH_SITE="same-site")


@pytest.mark.parametrize(
    "host",
    ["evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "1", "", "[", "a@b"],
)
def test_attack_35_a_rebound_name_is_not_ours(host):
    assert not says(Origins((), any_name=False), host, f"http://{host}")


def test_behind_proxies_the_named_address_is_ours():
    origins = Origins((), any_name=True)
    assert says(origins, "chat.example.org", "https://chat.example.org", "https")
    assert not says(origins, "chat.example.org", "https://evil.example", "https")


def test_attack_35_what_is_set_is_all_that_is_ours():
    for any_name in (False, True):
        origins = Origins(("https://chat.example.org",), any_name=any_name)
        assert says(origins, "anything", "https://Chat.Example.org")
        for other in ("http://chat.example.org", "https://localhost", "https://evil.example"):
            assert not says(origins, other.partition("//")[2], other)
