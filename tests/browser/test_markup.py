"""Markup and addresses that somebody writes are shown as text, and nothing of them runs."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.person import Person
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

ACTS = (
    "window.pwned=1",
    "parent.pwned=1",
    "eval('window.pwned=1')",
    "import('/x.js')",
    "document.title='pwned'",
    "location='#pwned'",
)
FORMS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    '"><svg onload="{}">',
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    "<style>@import 'javascript:{}'</style>",
    '<a href="javascript:{}">https://example.org</a>',
    "javascript:{}",
    "JaVaScRiPt:{}//https://example.org",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "<body onpageshow={}>",
    "<details open ontoggle={}>",
    "<math><mtext><style><img src onerror={}></style></mtext></math>",
    "<template><script>{}</script></template>",
    "<object data='javascript:{}'></object>",
    "<form action='javascript:{}'><button autofocus onfocus={}>",
    "<input autofocus onfocus={}>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href='javascript:{}//'>",
    "<link rel=stylesheet href='javascript:{}'>",
    "<!--><img src onerror={}>-->",
    "]]><script>{}</script>",
    "${{{}}}",
    "{{{{constructor.constructor('{}')()}}}}",
    "lit$0$ <?lit$0$> {}",
    "<sm-dialog .content='{}'></sm-dialog>",
    "<secure-msg><img src onerror={}></secure-msg>",
    'https://example.org/"onmouseover="{}',
    "https://example.org/'><img src onerror={}>",
    "https://example.org/</a><script>{}</script>",
    "mailto:a@example.org?<img src onerror={}>",
    "http://user:{}@example.org/",
    "\u202ehttps://example.org/{}\u202c",
    "\u2066<script>{}</script>",
    "\x00<script>{}</script>",
    "\ufeff<script>{}</script>",
    "&lt;script&gt;{}&lt;/script&gt;",
    "&#60;script&#62;{}&#60;/script&#62;",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "%3Cscript%3E{}%3C/script%3E",
    "<scr\u0131pt>{}</scr\u0131pt>",
    "\uff1cscript\uff1e{}\uff1c/script\uff1e",
    "[x](javascript:{})",
    "![x](javascript:{})",
    "<https://example.org|{}>",
    "```<script>{}</script>```",
    "<img/src/onerror={}>",
    "<svg><script>{}</script></svg>",
    "<video><source onerror={}></video>",
    "<marquee onstart={}>",
)
PAYLOADS = [form.replace("{}", act) for form, act in product(FORMS, ACTS)]
AT_ONCE = 20
# What the views' own templates are made of.
FOREIGN = """() => [...document.querySelectorAll('.bubble *, .preview *, .composer *')]
  .map(item => item.localName)
  .filter(name => !['a', 'bdi', 'button', 'circle', 'div', 'label', 'p', 'path', 'span', 'svg',
    'textarea', 'time'].includes(name))"""


def test_attack_34_markup_in_text_is_text(chromium: Browser, tmp_path: Path) -> None:
    assert len(PAYLOADS) == 300
    with ServerProcess(tmp_path / "storage") as server:
        alice = Person(chromium, server.base, "alice").register()
        bob = Person(chromium, server.base, "bob").register()
        complaints: list[str] = []
        asked: list[str] = []
        for who in (alice, bob):
            who.page.on("console", lambda message: complaints.append(message.text))
            who.page.on("dialog", lambda dialog: complaints.append(dialog.message))
            who.page.on("request", lambda request: asked.append(request.url))
        alice.find("bob").write("hello").stored("hello")
        bob.open("alice").accept()
        texts = [
            "\n".join(PAYLOADS[start : start + AT_ONCE])
            for start in range(0, len(PAYLOADS), AT_ONCE)
        ]
        for text in texts:
            alice.write(text)
        alice.stored(*texts)
        bob.sees(*texts)
        alice.composer.fill(PAYLOADS[0])
        alice.page.get_by_role("searchbox").fill(PAYLOADS[1])
        alice.page.wait_for_timeout(600)

        for who in (alice, bob):
            page = who.page
            assert page.evaluate("'pwned' in window") is False
            assert page.evaluate(FOREIGN) == []
            assert "pwned" not in page.title() + page.url
            links = page.eval_on_selector_all(".text a", "items => items.map(item => item.href)")
            assert links
            assert [link for link in links if not link.startswith(("http", "mailto:"))] == []
            safe = page.eval_on_selector_all(
                ".text a",
                "items => items.every(({ rel }) => rel === 'noopener noreferrer')",
            )
            assert safe
        assert [url for url in asked if not url.startswith((server.base, "ws://127.0.0.1"))] == []
        assert [line for line in complaints if "Content Security Policy" in line] == []
        assert [line for line in complaints if "pwned" in line] == []
        for who in (alice, bob):
            who.untroubled()
            who.leave()


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
