"""The browser's own cryptography (WebCrypto) against the published vectors, in a real Chromium.

The same suites run with the portable implementation in tests/ts/crypto/vectors.test.ts; the counts
that both must reach are in tests/ts/crypto/vectors/counts.json.
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.pages import ROOT, bundle, serving

pytestmark = pytest.mark.browser

COUNTS = json.loads((ROOT / "tests/ts/crypto/vectors/counts.json").read_text())

# The product's own policy for pages, with WebAssembly as its worker has it (for Argon2id).
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    script = bundle("tests/ts/crypto/native_page.ts", folder)
    (folder / "index.html").write_text(
        f'<!doctype html><title>test</title><script type="module" src="{script}"></script>'
    )
    (folder / "vectors").symlink_to(ROOT / "tests/vectors", target_is_directory=True)
    with serving(folder, {"Content-Security-Policy": POLICY}) as address:
        yield address


@pytest.fixture(scope="module")
def page(chromium: Browser, origin: str) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(origin)
    page.wait_for_function("'runSuite' in globalThis")
    yield page
    context.close()


def test_chromium_has_every_native_algorithm(page: Page) -> None:
    assert page.evaluate("probed()") == [
        "ChaCha20-Poly1305",
        "Ed25519",
        "ML-DSA-65",
        "ML-KEM-1024",
        "X25519",
    ]


def test_every_suite_has_its_counts(page: Page) -> None:
    assert page.evaluate("suites()") == sorted(COUNTS)


@pytest.mark.parametrize("path", sorted(COUNTS))
def test_vectors(page: Page, path: str) -> None:
    assert page.evaluate("(path) => runSuite(path)", path) == COUNTS[path]


def test_argon2id_runs_under_the_policy(page: Page) -> None:
    assert page.evaluate("argon2idAgrees()") is True


def test_native_and_portable_take_what_the_other_makes(page: Page) -> None:
    assert page.evaluate("runInterop()") == [
        "signatures",
        "encapsulations",
        "agreements",
        "sealedMessages",
        "unwrappedBlobs",
        "derivations",
    ]


def test_attack_07_native_refusals(page: Page) -> None:
    passed = page.evaluate("runRefusals()")
    assert len(passed) == 10
    assert "attack_07_low_order_x25519_points" in passed


def test_ed25519_edge_points_have_one_verdict(page: Page) -> None:
    assert page.evaluate("differingEdgePoints()") == []


def test_every_key_that_is_made_is_non_extractable(page: Page) -> None:
    made = page.evaluate("watchMadeKeys()")
    assert made == [
        f"{name} false"
        for name in ("AES-GCM", "Ed25519", "HKDF", "ML-DSA-65", "ML-KEM-1024", "X25519")
    ]


def test_native_keys_are_kept_by_indexeddb_and_used_after_a_reload(page: Page) -> None:
    page.evaluate("storeKeys()")
    page.reload()
    page.wait_for_function("'useStoredKeys' in globalThis")
    page.evaluate("useStoredKeys()")


def test_the_page_needs_no_address_but_its_own(chromium: Browser, origin: str) -> None:
    """Nothing in the bundle reaches out or offends the policy while it loads and probes."""
    context = chromium.new_context()
    page = context.new_page()
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(origin)
    page.wait_for_function("'probed' in globalThis")
    page.evaluate("probed()")
    context.close()
    assert [url for url in requested if not url.startswith(origin)] == []
    assert [text for text in complaints if "Content Security Policy" in text] == []
