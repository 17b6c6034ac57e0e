"""Attack 11: a server that serves an older private folder is noticed, and no key is used twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from secure_msg.crypto import aead
from secure_msg.e2ee import accountkeys, envelope, marks, ratchet, send, vault
from secure_msg.e2ee.envelope import TextContent
from secure_msg.e2ee.errors import RolledBack
from secure_msg.e2ee.events import FolderRolledBack, Received, Undecryptable
from tests.e2ee.test_thread import Two
from tests.e2ee.world import NOTHING_SEEN, NOW, THREAD, Browser


@dataclass
class RecordingAead:
    """An AEAD that notes every (key, nonce) it seals under, and refuses a second use."""

    inner: aead.Aead
    used: set[tuple[bytes, bytes]]

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        assert (key, nonce) not in self.used, "a key and nonce sealed two plaintexts"
        self.used.add((key, nonce))
        return self.inner.seal(key, nonce, plaintext, ad)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        return self.inner.open(key, nonce, sealed, ad)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[bytes, bytes]]]:
    """Every (key, nonce) pair that anything was sealed under."""
    pairs: set[tuple[bytes, bytes]] = set()
    for module in (envelope, ratchet, vault, accountkeys, marks):
        monkeypatch.setattr(module, "AES_256_GCM", RecordingAead(aead.AES_256_GCM, pairs))
    monkeypatch.setattr(
        envelope, "aead_by_name", lambda name: RecordingAead(aead.aead_by_name(name), pairs)
    )
    return pairs


def talk(two: Two) -> None:
    """A conversation in which every kind of step saves the session file."""
    two.a.say("a1")
    two.a.say("a2")
    two.b.say("b1")
    two.a.sync()
    two.a.save()
    two.a.say("a3")
    two.b.say("b2")
    two.a.say("a4")
    two.a.say("a5", restart=True)
    two.b.say("b3")
    two.a.say("a6")


def snapshots(two: Two, browser: Browser) -> int:
    path = vault.path_for(browser.vault, vault.label_session(THREAD))
    return len(two.server.files[browser.who.account, path])


def set_back(two: Two, browser: Browser, version: int) -> Browser:
    """A new browser of the same person to which an older file is served."""
    path = vault.path_for(browser.vault, vault.label_session(THREAD))
    two.server.serves_version[browser.who.account, path] = version
    return Browser(browser.who, browser.peer, two.server, seed=100 + version)


@pytest.mark.parametrize("version", range(7))
def test_attack_11_rollback_is_noticed_at_every_snapshot(version: int) -> None:
    two = Two()
    talk(two)
    assert snapshots(two, two.a) == 7
    older = set_back(two, two.a, version)
    with pytest.raises(RolledBack):
        older.say("must not be sent")
    older.reload()
    with pytest.raises(RolledBack):
        older.say("not after a reload either")
    assert snapshots(two, two.a) == 7


def test_attack_11_the_newest_snapshot_is_no_rollback() -> None:
    two = Two()
    talk(two)
    current = set_back(two, two.a, 7)
    current.say("fine")
    two.b.sync()
    assert two.b.texts()[-1] == "fine"


@pytest.mark.parametrize("version", range(3))
def test_attack_11_rollback_of_the_other_side_is_noticed_too(version: int) -> None:
    two = Two()
    talk(two)
    assert snapshots(two, two.b) == 3
    older = set_back(two, two.b, version)
    with pytest.raises(RolledBack):
        older.sync()


def test_attack_11_rollback_forced_sending_uses_no_key_and_nonce_twice(
    used: set[tuple[bytes, bytes]],
) -> None:
    """A client without any check, from every snapshot, twice, with every restart in between."""
    two = Two()
    talk(two)
    before = len(used)
    forced = 0
    for version in range(1, 8):
        for attempt in range(2):
            older = set_back(two, two.a, version)
            older.random = type(older.random)(f"{version}/{attempt}".encode())
            state = older.state
            for number in range(3):
                sent = send.send(
                    state,
                    TextContent("the same words"),
                    own=two.alice.own,
                    session_version=version + number + 1,
                    checkpoint=NOTHING_SEEN,
                    now=NOW,
                    random=older.random,
                    bundle=two.bob.peer_bundle(None),
                )
                state = sent.state
                forced += 1
    assert forced == 42
    assert len(used) >= before + 3 * forced


def test_attack_11_the_peer_sees_that_a_folder_went_back() -> None:
    """A modified client sends from an old file; its peer is told, and reads no forked ratchet."""
    two = Two()
    two.a.say("a1")
    two.b.say("b1")
    two.a.say("a2")
    two.a.say("a3")
    two.b.sync()
    older = set_back(two, two.a, 1)
    forged = send.send(
        older.state,
        TextContent("from an old state"),
        own=two.alice.own,
        session_version=2,
        checkpoint=NOTHING_SEEN,
        now=NOW,
        random=older.random,
        bundle=two.bob.peer_bundle(None),
    )
    restarted = send.send(
        older.state,
        TextContent("in a new session"),
        own=two.alice.own,
        session_version=3,
        checkpoint=NOTHING_SEEN,
        now=NOW,
        random=older.random,
        bundle=two.bob.peer_bundle(None),
        restart=True,
    )
    chain = two.server.chain(THREAD)
    for draft in (*forged.drafts, *restarted.drafts):
        chain.append(draft.kind, draft.body)
    events = two.b.sync()
    assert [event.reason for event in events if type(event) is Undecryptable] == ["forged"]
    texts = [event.content.text for event in events if type(event) is Received]
    assert texts == ["in a new session"]
    assert len([event for event in events if type(event) is FolderRolledBack]) == 1
