"""The page runs under a policy that lets nothing else in, and breaks none of it itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.person import Person
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser


def test_attack_16_the_page_runs_under_its_own_policy(chromium: Browser, tmp_path: Path) -> None:
    """Registration, the worker and a conversation offend nothing that the headers forbid."""
    with ServerProcess(tmp_path / "storage") as server:
        offences: list[str] = []
        alice = Person(chromium, server.base, "alice")
        alice.page.on(
            "console",
            lambda message: offences.append(message.text) if "Policy" in message.text else None,
        )
        alice.page.reload()
        alice.register()
        bob = Person(chromium, server.base, "bob").register()
        alice.find("bob").write("hello").stored("hello")
        alice.page.get_by_role("link", name="Settings").click()
        alice.page.wait_for_timeout(300)
        assert offences == []
        refused = alice.page.evaluate(
            """() => {
              const tries = [
                () => { document.createElement('div').innerHTML = '<b>x</b>'; },
                () => new Worker('/static/other.js'),
                () => trustedTypes.createPolicy('default', {}),
              ];
              return tries.map(act => {
                try { act(); return 'done'; } catch (error) { return error.name; }
              });
            }"""
        )
        assert refused == ["TypeError", "TypeError", "TypeError"]
        for who in (alice, bob):
            who.leave()
