"""300 payloads wherever somebody may write: every one is text, and none runs.

What would run calls a hook, opens a dialog, changes the title or asks the network; a listener
notes every breach of the page's policy, because text that stays text breaches none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from tests.browser.person import Person
from tests.support.api import Api, OverNetwork
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

ACTS = ("ran(1)", "alert(2)", "document.title='ran'", "fetch('/ran')", "top['r'+'an'](5)")
SCRIPTS = (
    "<script>ACT</script>",
    "<ScRiPt >ACT</sCrIpT >",
    '<script src="data:text/javascript,ACT"></script>',
    "</textarea><script>ACT</script>",
    "</title></style><script>ACT</script>",
    "--><script>ACT</script><!--",
    "<scr<script>ipt>ACT</scr</script>ipt>",
    '<link rel=modulepreload href="data:text/javascript,ACT">',
)
IMAGES = (
    "<img src=x onerror=ACT>",
    '"><img src="x" onerror="ACT">',
    "'><img/src=`x`onerror=ACT>",
    "<image src=x onerror=ACT>",
    "<picture><source srcset=x><img onerror=ACT></picture>",
    "<svg/onload=ACT>",
    "<svg><animate onbegin=ACT attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:ACT"><text y=9>x</text></a></svg>',
    "<svg><use href=\"data:image/svg+xml,<svg id='x' onload='ACT'/>#x\"/></svg>",
    "<video><source onerror=ACT></video>",
)
FRAMES = (
    '<iframe srcdoc="<script>ACT</script>"></iframe>',
    '<iframe src="javascript:ACT"></iframe>',
    '<object data="javascript:ACT"></object>',
    '<embed src="javascript:ACT">',
    '<meta http-equiv="refresh" content="0;url=javascript:ACT">',
    '<base href="javascript:ACT//">',
    '<form action="javascript:ACT"><button autofocus onfocus="ACT">x</button></form>',
    "<details open ontoggle=ACT><summary>x</summary></details>",
    "<x tabindex=1 autofocus onfocus=ACT contenteditable>",
)
STYLES = (
    "<style>@import 'javascript:ACT';</style>",
    '<style>*{background:url("javascript:ACT")}</style>',
    '<div style="width:expression(ACT);position:fixed;inset:0">',
    '<link rel="stylesheet" href="javascript:ACT">',
)
LINKS = (
    "javascript:ACT",
    "JaVaScRiPt:ACT//https://example.org/",
    "java\tscript:ACT",
    "\x01javascript:ACT",
    "data:text/html,<script>ACT</script>",
    "data:image/svg+xml;utf8,<svg onload=ACT>",
    "vbscript:ACT",
    "blob:https://example.org/ACT",
    "file:///etc/passwd#ACT",
    "https://example.org/?x=javascript:ACT",
    'https://example.org/"onmouseover="ACT',
    "https://example.org/'><img src=x onerror=ACT>",
    "https://user:ACT@example.org/javascript:ACT",
    "mailto:a@example.org?subject=<script>ACT</script>",
    "[x](javascript:ACT) <javascript:ACT>",
)
TEMPLATES = (
    "${ACT} #{ACT} <%= ACT %>",
    "{{constructor.constructor('ACT')()}}",
    "{{ACT}} [[ACT]] {%ACT%}",
    "lit$0$ <?lit$0$> ACT",
    "<!--?lit$123$--><!--lit-part ACT--><!--/lit-part-->",
    '<x @click=${ACT} .innerHTML=${"<img src=x onerror=ACT>"}>',
    '{"_$litType$":1,"strings":{"raw":["<img src=x onerror=ACT>"]},"__proto__":"ACT"}',
    "<secure-msg></secure-msg><sm-dialog .content=ACT></sm-dialog>",
    "&lt;script&gt;ACT&lt;/script&gt; &#x6A;avascript&colon;ACT",
    "%3Cscript%3EACT%3C/script%3E \\u003cscript\\u003eACT",
)
INVISIBLES = (
    "\u202e<script>ACT</script>\u202c",
    "\u2066\u200f<img src=x onerror=ACT>\u2069",
    "\x00<scr\x00ipt>ACT</script>",
    "\x1b[31m\x7f\u0085\u2028<script>ACT</script>",
)
MUTATIONS = (
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=ACT'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=ACT>",
    '<svg></p><style><a id="</style><img src=1 onerror=ACT>">',
    '<noscript><p title="</noscript><img src=x onerror=ACT>">',
)
FAMILIES = (SCRIPTS, IMAGES, FRAMES, STYLES, LINKS, TEMPLATES, INVISIBLES, MUTATIONS)
PAYLOADS = [form.replace("ACT", act) for family in FAMILIES for form, act in product(family, ACTS)]
AT_ONCE = 25
LONGEST_QUERY = 64
SHOWN_WHOLE = PAYLOADS[:: len(PAYLOADS) // 12]

HOOKS = """(() => {
  const events = [];
  const note = (what) => (...rest) => { events.push([what, ...rest].join(' ').slice(0, 200)); };
  for (const name of ['ran', 'alert', 'confirm', 'prompt', 'print', 'open']) {
    globalThis[name] = note(name);
  }
  addEventListener('securitypolicyviolation', (breach) =>
    note('policy')(breach.effectiveDirective, breach.blockedURI, breach.sample));
  globalThis.takeEvents = () => events.splice(0);
})()"""
# Whatever markup makes and the application does not, and what the application makes of texts.
FOREIGN = """() => {
  const made = ['applet', 'animate', 'audio', 'base', 'embed', 'foreignObject', 'frame', 'iframe',
    'image', 'img', 'marquee', 'math', 'object', 'picture', 'source', 'style', 'template', 'use',
    'video', 'x'];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const handlers = all('*').flatMap((item) => item.getAttributeNames())
    .filter((name) => name.startsWith('on'));
  const scripts = all('script').filter(({ src }) => !src.startsWith(location.origin + '/static/'));
  const links = [...document.links].filter(({ protocol, origin, relList }) =>
    !['http:', 'https:', 'mailto:'].includes(protocol) ||
    (origin !== location.origin && relList.value !== 'noopener noreferrer'));
  return [...all(made.join(',')), ...all('.text :not(a, .meta, .meta *)'), ...scripts, ...links]
    .map(({ localName }) => localName).concat(handlers);
}"""


@dataclass
class Watched:
    """A person whose page is hooked; everything that should not happen is in `happened`."""

    person: Person
    happened: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    @property
    def page(self) -> Page:
        return self.person.page

    def unharmed(self) -> None:
        """Nothing ran, nothing was built from a payload, and nothing foreign was asked for."""
        self.page.wait_for_timeout(300)
        assert self.page.evaluate("takeEvents()") == []
        assert self.happened == []
        assert self.page.evaluate(FOREIGN) == []
        assert "ran" not in self.page.title()
        self.person.untroubled()


def watched(browser: Browser, base: str, name: str) -> Watched:
    """From before its first script on: the page is loaded again under the hooks."""
    watch = Watched(Person(browser, base, name))
    page, happened = watch.page, watch.happened
    own = (base, base.replace("http", "ws"), "data:,", "blob:")

    def asked(url: str) -> None:
        if not url.startswith(own) or url.endswith("/ran"):
            happened.append(f"asked for {url}")

    def note(response: Response) -> None:
        watch.responses.append(response)

    page.on("dialog", lambda dialog: happened.append(f"dialog {dialog.message}"))
    page.on("popup", lambda popup: happened.append(f"opened {popup.url}"))
    page.on("request", lambda request: asked(request.url))
    page.on("websocket", lambda socket: asked(socket.url))
    page.on("console", lambda said: happened.append(said.text) if "Policy" in said.text else None)
    page.on("response", note)
    page.add_init_script(HOOKS)
    page.reload()
    return watch


@dataclass
class Pair:
    server: ServerProcess
    alice: Watched
    bob: Watched


@pytest.fixture(scope="module")
def pair(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two people in conversation."""
    with ServerProcess(tmp_path_factory.mktemp("markup") / "storage") as server:
        both = Pair(
            server, watched(chromium, server.base, "alice"), watched(chromium, server.base, "bobby")
        )
        both.alice.person.register(recovery=False)
        both.bob.person.register(recovery=False)
        both.alice.person.find("bobby").write("hello").stored("hello")
        both.bob.person.open("alice").accept()
        yield both
        for one in (both.alice, both.bob):
            one.person.leave()


def test_there_are_300() -> None:
    assert len(PAYLOADS) >= 300
    assert len(set(PAYLOADS)) == len(PAYLOADS)


def test_attack_34_messages_are_shown_as_they_were_written(pair: Pair) -> None:
    """In both directions, live and from history; some alone, for previews and notices."""
    alice, bob = pair.alice, pair.bob
    batches = [
        "\n".join(PAYLOADS[start : start + AT_ONCE]) for start in range(0, len(PAYLOADS), AT_ONCE)
    ]
    texts = [*batches, *SHOWN_WHOLE]
    for text in texts:
        alice.person.write(text)
    alice.person.stored(*texts)
    bob.person.sees(*texts)
    answer = "answer\n" + batches[-1]
    bob.person.write(answer).stored(answer)
    alice.person.sees(answer)
    for one in (alice, bob):
        one.unharmed()
        shown = one.person.texts()
        one.person.reload().sees(*texts, answer)
        assert one.person.texts() == shown == ["hello", *texts, answer]
        one.unharmed()
        links = one.page.eval_on_selector_all(".text a", "items => items.map(({ href }) => href)")
        assert links
        assert [link for link in links if not link.startswith(("http", "mailto:"))] == []


def test_attack_34_drafts_stay_text(pair: Pair) -> None:
    alice = pair.alice
    everything = "\n".join(PAYLOADS)
    alice.person.composer.fill(everything)
    alice.page.wait_for_timeout(1_500)
    alice.unharmed()
    alice.person.reload()
    expect(alice.person.composer).to_have_value(everything)
    alice.unharmed()
    alice.person.composer.fill("")


def test_attack_34_search_queries_stay_text(pair: Pair) -> None:
    alice = pair.alice
    search = alice.page.get_by_role("searchbox")
    for at, payload in enumerate(PAYLOADS):
        search.fill(payload)
        if at % 60 == 0:
            with alice.page.expect_response("**/api/directory*") as answered:
                pass
            assert answered.value.status == 200
            assert answered.value.json() == {"people": []}
        assert search.input_value() == payload[:LONGEST_QUERY]
    alice.unharmed()
    search.fill("")


def test_attack_34_nobody_has_a_name_of_markup(pair: Pair) -> None:
    """Whole, and cut to the length that a name may have."""
    api = Api(OverNetwork(pair.server.base))
    for payload in PAYLOADS:
        for name in (payload, payload[:32].strip()):
            answer = api.post_json("/api/registration/begin", {"name": name})
            assert (answer.status, answer.kind) == (422, "name-refused"), name


def test_attack_34_a_refused_name_is_not_built_into_the_page(chromium: Browser, pair: Pair) -> None:
    stranger = watched(chromium, pair.server.base, "stranger")
    page = stranger.page
    page.get_by_role("button", name="Create account").click()
    for payload in SHOWN_WHOLE:
        page.get_by_label("Name").fill(payload)
        page.get_by_role("textbox", name="Password").fill("correct horse battery staple")
        with page.expect_response("**/api/registration/begin") as answered:
            page.get_by_role("button", name="Create account").click()
        assert answered.value.status == 422
        expect(page.get_by_text("This name cannot be used")).to_be_visible()
    stranger.unharmed()
    stranger.person.leave()


def test_attack_34_names_that_a_lying_server_serves_are_text(pair: Pair) -> None:
    """The rules for names are the server's; the page does not rely on them."""
    alice = pair.alice
    search = alice.page.get_by_role("searchbox")

    served: list[str] = []

    def lie(route: Route) -> None:
        people = [
            {"account": f"{at:02}".ljust(43, "0"), "name": name} for at, name in enumerate(served)
        ]
        route.fulfill(response=route.fetch(), body=json.dumps({"people": people}))

    def shown() -> list[str]:
        found: list[str] = alice.page.eval_on_selector_all(
            "button.entry bdi", "items => items.map((item) => item.textContent)"
        )
        return found

    alice.page.route("**/api/directory*", lie)
    for start in range(0, len(PAYLOADS), 20):
        served[:] = PAYLOADS[start : start + 20]
        search.fill(f"query {start}")
        alice.person.until(lambda: shown() == served, str(served))
    alice.unharmed()
    alice.page.unroute("**/api/directory*")
    search.fill("")


def policy_of(response: Response) -> dict[str, list[str]]:
    """The response's one policy by directive."""
    header = response.headers.get("content-security-policy", "")
    parts = [part.split() for part in header.split(";")]
    assert all(parts), (response.url, response.status, response.headers)
    assert len({part[0] for part in parts}) == len(parts)
    return {name: sources for name, *sources in parts}


def test_every_response_carries_the_strict_policy(pair: Pair) -> None:
    alice = pair.alice
    alice.page.evaluate(
        "Promise.all(['/nowhere', '/api/nowhere', '/static/x'].map((at) => fetch(at)))"
    )
    alice.page.wait_for_timeout(200)
    seen = [one for one in alice.responses if one.url.startswith(pair.server.base)]
    kinds = {(one.request.resource_type, one.status) for one in seen}
    assert {("document", 200), ("script", 200), ("fetch", 200), ("fetch", 404)} <= kinds
    workers = [one for one in seen if one.url.endswith("/worker.js")]
    assert workers
    for response in seen:
        policy = policy_of(response)
        assert policy["default-src"] == ["'none'"]
        loose = {"*", "'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "http:", "https:"}
        assert loose.isdisjoint(source for sources in policy.values() for source in sources)
        if response in workers:
            assert set(policy["script-src"]) == {"'self'", "'wasm-unsafe-eval'"}
            continue
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert policy["require-trusted-types-for"] == ["'script'"]
        for directive in ("base-uri", "form-action", "frame-ancestors"):
            assert policy[directive] == ["'none'"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_the_hooks_can_tell(pair: Pair) -> None:
    """What the tests above rely on: a run is noted, and the policy stops and tells the rest."""
    page = pair.bob.page

    def after(script: str) -> Any:
        page.evaluate(script)
        page.wait_for_timeout(100)
        return " ".join(page.evaluate("takeEvents()"))

    assert after("ran('noticed')") == "ran noticed"
    built = "const item = document.createElement('div'); document.body.append(item);"
    assert "policy require-trusted-types-for" in after(
        f"() => {{ {built} try {{ item.innerHTML = '<img src=x onerror=ran()>'; }} catch {{}} }}"
    )
    image = "Object.assign(new Image(), { src: '//127.0.0.1:1/x' })"
    assert "policy img-src http://127.0.0.1:1/x" in after(
        f"() => {{ {built} item.append({image}); }}"
    )
    link = "Object.assign(document.createElement('a'), { href: 'data:,x' })"
    assert page.evaluate(f"() => {{ {built} item.append({link}); }}") is None
    assert page.evaluate(FOREIGN) == ["img", "a"]
