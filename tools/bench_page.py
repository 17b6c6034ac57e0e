"""What the page takes in a real Chromium on this machine, beside the machine's own floor.

Times are read inside the page (performance.now, in animation frames, so that what counts as there
was drawn); between two pages by the clock that both share. Every figure has its floor from the same
run: an empty page's first paint, a bare fetch, the derivation by itself.
"""

from __future__ import annotations

import gzip
import re
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.launch import launch_chromium
from tests.browser.person import Person
from tests.support.server import ROOT, ServerProcess

PAINTS, FETCHES, MESSAGES, RELOADS, SIGN_INS = 9, 100, 50, 9, 5
DIST = ROOT / "static" / "dist"
EMPTY = b"<!doctype html><html lang=en><title>x</title><link rel=icon href=data:,><body><p>x"
_IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([^"']+\.js)["']""")

# A worker of its own derives each key: from its making to its last message.
TIME_WORKERS = """(() => {
  globalThis.derivations = [];
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(...rest) {
      const began = performance.now();
      super(...rest);
      this.took = 0;
      this.addEventListener('message', ({ data }) => {
        if ('key' in data) globalThis.derivations.push(performance.now() - began);
      });
    }
  };
})()"""
FIRST_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list, observer) => {
    const [entry] = list.getEntriesByName('first-contentful-paint');
    if (entry !== undefined) { observer.disconnect(); resolve(entry.startTime); }
  }).observe({ type: 'paint', buffered: true });
})"""
FETCH = """(count) => (async () => {
  const took = [];
  for (let at = 0; at < count; at += 1) {
    const began = performance.now();
    await (await fetch('/healthz', { cache: 'no-store' })).arrayBuffer();
    took.push(performance.now() - began);
  }
  return took;
})()"""
# Resolves in the frame after the one in which `done` holds: what is asked for has been drawn.
DRAWN = """() => new Promise((resolve) => {{
  const began = {began};
  const look = () => {{
    if (({done})()) requestAnimationFrame(() => resolve(performance.now() - began));
    else requestAnimationFrame(look);
  }};
  {act};
  look();
}})"""
SHOWS_LAST = """() => [...document.querySelectorAll('li.message .text')].at(-1)
  ?.textContent.includes({text!r})"""
# When each message was first drawn, and drawn as stored, on the clock that all pages share.
NOTE_SHOWN = """() => {
  globalThis.shown = {};
  globalThis.acknowledged = {};
  const note = () => requestAnimationFrame(() => {
    const now = performance.timeOrigin + performance.now();
    for (const item of document.querySelectorAll('li.message')) {
      const [text] = /message \\d+ of the measurement/.exec(item.textContent) ?? [''];
      shown[text] ??= now;
      if (item.matches('.stored, .read')) acknowledged[text] ??= now;
    }
  });
  const all = { attributes: true, childList: true, subtree: true, characterData: true };
  new MutationObserver(note).observe(document.body, all);
}"""
WHEN = """async ([table, text]) => {
  while (!(text in globalThis[table])) await new Promise(requestAnimationFrame);
  return globalThis[table][text];
}"""
SEND = """(text) => {
  const field = document.querySelector('#message');
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  const began = performance.timeOrigin + performance.now();
  const enter = { key: 'Enter', bubbles: true, cancelable: true };
  field.dispatchEvent(new KeyboardEvent('keydown', enter));
  return began;
}"""


def run(folder: Path) -> dict[str, Any]:
    with (
        ServerProcess(folder / "page-storage") as server,
        sync_playwright() as playwright,
        empty_server() as empty,
    ):
        browser = launch_chromium(playwright)
        figures: dict[str, Any] = {
            "floor: empty page's first paint, ms": spread(paints(browser, empty)),
            "first contentful paint, ms": spread(paints(browser, server.base)),
        }
        alice = make_person(browser, server.base, "alice")
        bob = make_person(browser, server.base, "bobby")
        registrations = [registered(alice), registered(bob)]
        figures["floor: key derivation, ms"] = spread([one[1] for one in registrations])
        figures["registration, ms"] = spread([one[0] for one in registrations])
        figures["registration beyond derivation, ms"] = spread([a - b for a, b in registrations])
        figures["floor: a fetch and its answer, ms"] = spread(alice.page.evaluate(FETCH, FETCHES))
        figures.update(conversing(alice, bob))
        figures["reload to readable, ms"] = spread(reloads(bob))
        figures.update(sign_ins(browser, server.base, bob))
        found = {"chromium": browser.version, "script": script_bytes(), "figures": figures}
        browser.close()
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Milliseconds: median, 95th percentile (nearest rank), least and most."""
    ordered = sorted(values)
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return {
        "n": len(ordered),
        "p50": statistics.median(ordered),
        "p95": ordered[rank],
        "min": ordered[0],
        "max": ordered[-1],
    }


@contextmanager
def empty_server() -> Iterator[str]:
    """The address of a page with one letter."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(EMPTY)))
            self.end_headers()
            self.wfile.write(EMPTY)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: it is a floor, not a server."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def script_bytes() -> dict[str, int]:
    """main.js and what it imports at once, as they are and gzipped at level 9."""
    names, waiting = {"main.js"}, ["main.js"]
    while waiting:
        found = set(_IMPORTED.findall((DIST / waiting.pop()).read_text()))
        waiting.extend(found - names)
        names |= found
    data = [(DIST / name).read_bytes() for name in sorted(names)]
    packed = [len(gzip.compress(one, 9, mtime=0)) for one in data]
    return {"files": len(data), "bytes": sum(map(len, data)), "gzipped": sum(packed)}


def paints(browser: Browser, address: str) -> list[float]:
    """First contentful paint, each in a new browser context with nothing cached; one to warm up."""
    took = []
    for _ in range(1 + PAINTS):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        took.append(page.evaluate(FIRST_PAINT))
        context.close()
    return took[1:]


def make_person(browser: Browser, base: str, name: str) -> Person:
    person = Person(browser, base, name)
    person.page.add_init_script(TIME_WORKERS)
    person.page.reload()
    return person


def drawn(page: Page, done: str, *, act: str = "", began: str = "performance.now()") -> float:
    took = page.evaluate(DRAWN.format(began=began, done=done, act=act))
    return float(took)


def registered(person: Person) -> tuple[float, float]:
    """(From the button to the recovery code, key derivation), ms."""
    page = person.page
    page.get_by_role("button", name="Create account").click()
    page.get_by_label("Name").fill(person.name)
    page.get_by_role("textbox", name="Password").fill(person.password)
    took = drawn(
        page,
        "() => document.querySelector('.recovery-code') !== null",
        act="document.querySelector('form button.primary').click()",
    )
    page.get_by_role("checkbox", name="I have written it down").check()
    page.get_by_role("button", name="Continue").click()
    person.arrived()
    return took, page.evaluate("derivations.at(-1)")


def conversing(alice: Person, bob: Person) -> dict[str, Any]:
    """From Enter in one page to drawn in the other, by turns of five."""
    alice.find(bob.name).write("hello").stored("hello")
    bob.open(alice.name).sees("hello").accept()
    for who in (alice, bob):
        who.page.evaluate(NOTE_SHOWN)
    took, echoed, stored = [], [], []
    for number in range(MESSAGES):
        writer, reader = (alice, bob) if number // 5 % 2 == 0 else (bob, alice)
        text = f"message {number} of the measurement"
        began = writer.page.evaluate(SEND, text)
        took.append(reader.page.evaluate(WHEN, ["shown", text]) - began)
        echoed.append(writer.page.evaluate(WHEN, ["shown", text]) - began)
        stored.append(writer.page.evaluate(WHEN, ["acknowledged", text]) - began)
    return {
        "send to shown to its reader, ms": spread(took),
        "send to shown to its writer, ms": spread(echoed),
        "send to shown as stored, ms": spread(stored),
    }


def reloads(person: Person) -> list[float]:
    """From the start of the navigation to the last message drawn."""
    took = []
    last = person.texts()[-1]
    for _ in range(RELOADS):
        person.page.reload(wait_until="commit")
        took.append(drawn(person.page, SHOWS_LAST.format(text=last), began="0"))
    return took


def sign_ins(browser: Browser, base: str, person: Person) -> dict[str, Any]:
    """In a new browser at the conversation's address, from the button to the last message drawn."""
    address, last = person.page.url, person.texts()[-1]
    totals, derivations = [], []
    for _ in range(SIGN_INS):
        other = make_person(browser, base, person.name)
        page = other.page
        page.evaluate("(hash) => { location.hash = hash; }", "#" + address.partition("#")[2])
        page.get_by_label("Name").fill(other.name)
        page.get_by_role("textbox", name="Password").fill(other.password)
        act = "document.querySelector('form button.primary').click()"
        totals.append(drawn(page, SHOWS_LAST.format(text=last), act=act))
        derivations.append(page.evaluate("derivations.at(-1)"))
        other.leave()
    beyond = [total - derived for total, derived in zip(totals, derivations, strict=True)]
    return {
        "floor: key derivation at sign-in, ms": spread(derivations),
        "sign-in to readable, ms": spread(totals),
        "sign-in to readable beyond derivation, ms": spread(beyond),
    }
