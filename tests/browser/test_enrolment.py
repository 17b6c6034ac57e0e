"""An account's life in a real Chromium against a real server: static/src/model/enrol.ts.

The page under test is tests/ts/model/enrolment_page.ts, served by the browser's own routing at the
server's origin and under the server's own policies.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from secure_msg.crypto.hash import sha256
from secure_msg.web.outer import PAGE_CSP, WORKER_CSP
from tests.browser.pages import bundle
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
OTHER = "a quite different one"
WRAPS = sha256(b"securemsg/file/wraps/1").hex()
PAGE = (
    '<!doctype html><title>test</title><script type="module" '
    'src="/static/dist/enrolment_page.js"></script>'
)
_names = count()


@dataclass
class Visit:
    """One browser profile with the page open; calls go to the functions of the page."""

    context: BrowserContext
    page: Page

    def call(self, name: str, *arguments: object) -> Any:
        return self.page.evaluate("([name, args]) => page[name](...args)", [name, arguments])

    def does(self, name: str, *arguments: object) -> Any:
        """A call that is to succeed."""
        result = self.call(name, *arguments)
        assert "error" not in result, result
        return result

    def reload(self) -> None:
        self.page.reload()
        self._ready()

    def _ready(self) -> None:
        self.page.wait_for_function("'page' in globalThis")
        self.call("start")


@dataclass
class Site:
    browser: Browser
    base: str
    scripts: dict[str, str]
    open: list[BrowserContext] = field(default_factory=list)

    def visit(self) -> Visit:
        context = self.browser.new_context()
        self.open.append(context)
        context.route("**/static/dist/*", self._serve)
        context.route("**/enrolment-test", self._serve)
        page = context.new_page()
        page.goto(f"{self.base}/enrolment-test")
        visit = Visit(context, page)
        visit._ready()
        return visit

    def _serve(self, route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        policy = WORKER_CSP if name == "worker.js" else PAGE_CSP
        html = name == "enrolment-test"
        route.fulfill(
            body=PAGE if html else self.scripts[name],
            content_type="text/html" if html else "text/javascript",
            headers={
                "Content-Security-Policy": policy,
                "Cross-Origin-Embedder-Policy": "require-corp",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerProcess(tmp_path_factory.mktemp("enrolment") / "storage") as server:
        yield server.base


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("scripts")
    for entry in ("tests/ts/model/enrolment_page.ts", "static/src/ui/worker.ts"):
        bundle(entry, folder)
    return {path.name: path.read_text() for path in folder.glob("*.js")}


@pytest.fixture
def site(chromium: Browser, base: str, scripts: dict[str, str]) -> Iterator[Site]:
    made = Site(chromium, base, scripts)
    yield made
    for context in made.open:
        context.close()


@pytest.fixture
def name() -> str:
    return f"person{next(_names)}"


def registered(site: Site, name: str, *, with_recovery: bool = False) -> tuple[Visit, Any]:
    visit = site.visit()
    return visit, visit.does("register", name, PASSWORD, with_recovery)


def altering(change: Callable[[bytes], bytes]) -> Callable[[Route], None]:
    def handle(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=change(response.body()))

    return handle


def showing(url: str) -> Callable[[Route], None]:
    """Answers with what stands at another address."""

    def handle(route: Route) -> None:
        route.fulfill(response=route.fetch(url=url))

    return handle


def losing(route: Route) -> None:
    """The request arrives, its answer does not."""
    route.fetch()
    route.abort()


def flip_last(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def test_a_new_account_is_open_and_comes_back_after_a_reload(site: Site, name: str) -> None:
    visit, made = registered(site, name, with_recovery=True)
    assert (made["name"], made["epoch"], made["hasRecovery"]) == (name, 1, True)
    assert made["kdf"] == {"memoryKib": 65536, "passes": 3}
    assert len(made["recoveryCode"]) == 39
    assert visit.call("steps") == ["deriving", "making-keys", "registering"]
    assert visit.call("countFiles") == 5
    assert visit.call("signs") == 2 * 3373
    visit.reload()
    back = visit.does("resume")
    assert back == {key: value for key, value in made.items() if key != "recoveryCode"}
    assert visit.call("signs") == 2 * 3373
    assert visit.call("keptKeys") == {"count": 1, "extractable": 0}


def test_a_second_browser_signs_in(site: Site, name: str) -> None:
    first, made = registered(site, name)
    assert (made["recoveryCode"], made["hasRecovery"]) == (None, False)
    second = site.visit()
    signed_in = second.does("signIn", f" {name.upper()} ", PASSWORD)
    assert second.call("steps") == ["deriving", "signing-in", "opening-vault"]
    for key in ("account", "name", "fingerprint", "epoch"):
        assert signed_in[key] == made[key]
    assert signed_in["session"] != made["session"]
    listed = second.call("sessions")
    assert {one["id"]: one["current"] for one in listed} == {
        made["session"]: False,
        signed_in["session"]: True,
    }
    second.call("endSession", made["session"])
    assert [one["id"] for one in second.call("sessions")] == [signed_in["session"]]
    first.reload()
    assert first.call("resume") is None
    assert first.call("keptKeys")["count"] == 0


def test_wrong_words_are_refused(site: Site, name: str) -> None:
    visit, _ = registered(site, name)
    stranger = site.visit()
    for attempt in ((name, "not the password"), ("nobody-at-all", PASSWORD), (name, "")):
        assert stranger.call("signIn", *attempt)["error"] == "sign-in-failed"
    assert stranger.call("register", name, PASSWORD, False)["error"] == "name-taken"
    assert stranger.call("register", "no", PASSWORD, False)["error"] == "name-refused"
    assert stranger.call("register", f"{name}x", "short", False)["error"] == "weak-password"
    assert stranger.call("recover", name, "no code")["error"] == "recovery-failed"
    code = "-".join(["0000"] * 8)
    assert stranger.call("recover", name, code)["error"] == "recovery-failed"
    assert stranger.call("recover", "nobody-at-all", code)["error"] == "recovery-failed"
    assert stranger.call("resume") is None
    assert visit.call("changePassword", "not the password", OTHER)["error"] == "wrong-password"
    assert visit.call("renewRecovery", "not the password")["error"] == "wrong-password"


def test_a_new_password_begins_a_new_epoch(site: Site, name: str) -> None:
    first, made = registered(site, name, with_recovery=True)
    second = site.visit()
    second.call("signIn", name, PASSWORD)
    thread, other = "11" * 32, "22" * 32
    first.call("makeFiles", thread, other)
    moved = ("contacts", "keys", "prekeys", "settings", f"session/{thread}", f"archive/{thread}/1")
    before = {label: first.call("file", label) for label in moved}
    changed = first.does("changePassword", PASSWORD, OTHER)
    assert (changed["epoch"], changed["hasRecovery"]) == (2, True)
    assert changed["recoveryCode"] != made["recoveryCode"]
    assert changed["fingerprint"] == made["fingerprint"]
    for label in moved:
        after = first.call("file", label)
        assert (after["epoch"], after["version"]) == (2, before[label]["version"] + 1), label
        assert (after["plaintext"] == before[label]["plaintext"]) == (label != "keys"), label
    assert first.call("file", f"archive/{thread}/0")["epoch"] == 1
    assert first.call("signs") == 2 * 3373

    assert second.page.evaluate("page.resume()") is None
    assert second.call("signIn", name, PASSWORD)["error"] == "sign-in-failed"
    assert second.call("recover", name, made["recoveryCode"])["error"] == "recovery-failed"
    assert second.does("signIn", name, OTHER)["epoch"] == 2
    assert second.call("file", f"session/{thread}") == first.call("file", f"session/{thread}")
    assert second.call("signs") == 2 * 3373
    first.reload()
    assert first.does("resume")["epoch"] == 2
    assert first.call("file", f"archive/{thread}/0")["epoch"] == 1


def test_a_recovery_code_brings_everything_back(site: Site, name: str) -> None:
    lost, made = registered(site, name, with_recovery=True)
    thread, other = "33" * 32, "44" * 32
    lost.call("makeFiles", thread, other)
    found = site.visit()
    typed = made["recoveryCode"].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert found.call("recover", name, typed) is None
    found.reload()
    assert found.call("resume") is None
    assert found.call("recover", name, typed) is None
    assert found.call("finishRecovery", "short")["error"] == "weak-password"
    back = found.does("finishRecovery", OTHER)
    assert (back["epoch"], back["hasRecovery"], back["account"]) == (2, True, made["account"])
    assert back["recoveryCode"] != made["recoveryCode"]
    for label in ("keys", "contacts", f"session/{thread}", f"archive/{thread}/1"):
        assert found.call("file", label)["epoch"] == 2, label
    assert found.call("signs") == 2 * 3373
    lost.reload()
    assert lost.call("resume") is None
    assert lost.call("signIn", name, PASSWORD)["error"] == "sign-in-failed"
    assert lost.call("recover", name, made["recoveryCode"])["error"] == "recovery-failed"
    assert lost.does("signIn", name, OTHER)["fingerprint"] == made["fingerprint"]
    again = site.visit()
    assert again.call("recover", name, back["recoveryCode"]) is None
    assert again.does("finishRecovery", PASSWORD)["epoch"] == 3


def test_a_recovery_code_can_be_made_later_and_replaced(site: Site, name: str) -> None:
    visit, _ = registered(site, name)
    first = visit.does("renewRecovery", PASSWORD)
    assert (first["epoch"], first["hasRecovery"]) == (1, True)
    second = visit.does("renewRecovery", PASSWORD)
    assert (second["epoch"], second["hasRecovery"]) == (2, True)
    visit.reload()
    assert visit.does("resume")["hasRecovery"] is True
    other = site.visit()
    assert other.call("recover", name, first["recoveryCode"])["error"] == "recovery-failed"
    assert other.does("signIn", name, PASSWORD)["epoch"] == 2
    assert other.call("recover", name, second["recoveryCode"]) is None


def test_signing_out_leaves_nothing(site: Site, name: str) -> None:
    visit, _ = registered(site, name)
    visit.call("saveText", "draft/x", "half a sentence")
    assert visit.call("signOut") is None
    assert visit.call("keptKeys") is None
    visit.reload()
    assert visit.call("resume") is None
    visit.call("signIn", name, PASSWORD)
    assert visit.call("texts", "draft/") == []


def test_what_was_not_sent_outlives_an_ended_session_but_not_another_account(
    site: Site, name: str
) -> None:
    visit, _ = registered(site, name)
    visit.call("saveText", "unsent/1", "not sent yet")
    other = site.visit()
    other.call("signIn", name, PASSWORD)
    other.call("endSession", "all")
    visit.reload()
    assert visit.call("resume") is None
    visit.call("signIn", name, PASSWORD)
    assert visit.call("texts", "unsent/") == ["not sent yet"]
    other.call("signOut")
    visit.call("register", f"{name}b", PASSWORD, False)
    assert visit.call("texts", "unsent/") == []


def test_lost_answers_lose_nothing(site: Site, name: str) -> None:
    visit = site.visit()
    visit.page.route("**/api/registration", losing)
    made = visit.call("register", name, PASSWORD, True)
    assert (made["name"], made["hasRecovery"]) == (name, True)
    visit.page.route("**/api/credential", losing)
    assert visit.does("changePassword", PASSWORD, OTHER)["epoch"] == 2
    visit.page.unroute("**/api/credential")
    visit.page.route("**/api/credential", lambda route: route.abort())
    assert visit.call("changePassword", OTHER, PASSWORD)["error"] == "offline"
    visit.reload()
    assert visit.does("resume")["epoch"] == 2


def test_a_change_in_between_is_taken_up(site: Site, name: str) -> None:
    visit, _ = registered(site, name)
    other = site.visit()
    other.call("signIn", name, PASSWORD)
    raced = iter([True])

    def race(route: Route) -> None:
        if next(raced, False):
            other.call("touch", "contacts")
        route.fallback()

    visit.page.route("**/api/credential", race)
    assert visit.does("changePassword", PASSWORD, OTHER)["epoch"] == 2
    assert visit.call("file", "contacts")["version"] == 3


def test_attack_altered_wraps(site: Site, name: str) -> None:
    registered(site, name)
    visit = site.visit()
    visit.page.route(f"**/api/private/{WRAPS}", altering(flip_last))
    assert visit.call("signIn", name, PASSWORD)["error"] == "server-misbehaved"
    assert visit.call("keptKeys") is None


def test_attack_cheap_derivation(site: Site, name: str) -> None:
    registered(site, name)

    def cheapen(body: bytes) -> bytes:
        answer = json.loads(body)
        answer["kdf"]["memory_kib"] = 1024
        return json.dumps(answer).encode()

    visit = site.visit()
    shown: list[str] = []
    visit.page.on("request", lambda request: shown.append(request.url))
    visit.page.route("**/api/sign-in/begin", altering(cheapen))
    assert visit.call("signIn", name, PASSWORD)["error"] == "server-misbehaved"
    assert [url for url in shown if url.endswith("/api/sign-in")] == []
    visit.page.route("**/api/registration/begin", altering(cheapen))
    assert visit.call("register", f"{name}z", PASSWORD, False)["error"] == "server-misbehaved"


def test_attack_another_accounts_files_and_chain(site: Site, name: str) -> None:
    """A server that shows one account the chain of another, or one file as another, is noticed."""
    mine, made = registered(site, name)
    _, other = registered(site, f"{name}other")
    paths: list[str] = []
    mine.page.on("request", lambda request: paths.append(request.url))
    mine.reload()
    assert mine.does("resume")["account"] == made["account"]
    chain = f"{mine.page.url.removesuffix('/enrolment-test')}/api/accounts/{made['account']}"
    files = [url for url in dict.fromkeys(paths) if "/api/private/" in url and WRAPS not in url]
    assert len(files) == 2
    swaps = [(chain, chain.replace(made["account"], other["account"])), (*files,), (*files[::-1],)]
    for asked, instead in swaps:
        mine.page.route(asked, showing(instead))
        assert mine.call("resume")["error"] == "server-misbehaved"
        mine.page.unroute(asked)
    assert mine.does("resume")["account"] == made["account"]


def test_attack_rolled_back_folder(site: Site, name: str) -> None:
    """Wraps and keys from before a change are noticed by a browser that has seen newer ones."""
    visit, _ = registered(site, name)
    old: dict[str, Any] = {}

    def record(route: Route) -> None:
        response = route.fetch()
        old.setdefault(route.request.url, (response, response.body()))
        route.fulfill(response=response)

    visit.page.route("**/api/private/*", record)
    visit.reload()
    assert visit.does("resume")["epoch"] == 1
    visit.page.unroute("**/api/private/*")
    assert visit.does("changePassword", PASSWORD, OTHER)["epoch"] == 2

    def replay(route: Route) -> None:
        response, body = old[route.request.url]
        route.fulfill(response=response, body=body)

    visit.page.route("**/api/private/*", replay)
    assert visit.call("resume")["error"] == "folder-rolled-back"


def test_attack_forged_receipts(site: Site, name: str) -> None:
    """An acknowledgement whose proof does not hold is none."""
    visit = site.visit()
    visit.page.route("**/api/registration", altering(flip_last))
    assert visit.call("register", name, PASSWORD, False)["error"] == "server-misbehaved"
    assert visit.call("keptKeys") is None
    visit.page.unroute("**/api/registration")
    assert visit.does("signIn", name, PASSWORD)["epoch"] == 1
    visit.page.route("**/api/credential", altering(flip_last))
    assert visit.call("changePassword", PASSWORD, OTHER)["error"] == "server-misbehaved"
    # It was made all the same: this browser notices that its keys are of an epoch that ended.
    visit.reload()
    assert visit.call("resume") is None
    assert visit.call("keptKeys")["count"] == 0
    assert visit.does("signIn", name, OTHER)["epoch"] == 2


def test_attack_another_server_in_place_of_the_pinned_one(site: Site, name: str) -> None:
    visit, _ = registered(site, name)
    visit.call("pinAnotherServer")
    for attempt in (("resume",), ("signIn", name, PASSWORD)):
        failed = visit.call(*attempt)
        assert failed["error"] == "server-misbehaved"
        assert "another server" in failed["cause"]


def test_attack_nothing_secret_is_sent(site: Site, name: str) -> None:
    visit = site.visit()
    sent: list[bytes] = []
    visit.page.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    made = visit.does("register", name, PASSWORD, True)
    code = visit.does("renewRecovery", PASSWORD)["recoveryCode"]
    visit.does("changePassword", PASSWORD, OTHER)
    assert len(b"".join(sent)) > 50_000
    for secret in (PASSWORD, OTHER, made["recoveryCode"], code):
        assert not any(secret.encode() in body for body in sent)
