"""Python and TypeScript talk to each other, and take over each other's sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from secure_msg.codec.messages import read_envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.e2ee import accountkeys, envelope, identity, marks, send, state, unlock, vault
from secure_msg.e2ee.accountkeys import AccountKeys
from secure_msg.e2ee.envelope import ResentContent, TextContent
from secure_msg.e2ee.errors import RolledBack
from secure_msg.e2ee.events import OwnMessage, Received, SessionStarted, ThreadOpened
from secure_msg.e2ee.identity import OwnKeys
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.thread import Reader, receive
from secure_msg.ledger.accountchain import AccountView, apply_entry, open_account
from tests.e2ee.operations import event_json
from tests.e2ee.typescript_peer import PeerError, TypeScriptPeer, build_peer
from tests.e2ee.world import NOTHING_SEEN, NOW, SERVER, THREAD, Chain, Entry, Person, person

TS_ACCOUNT = b"\x77" * 32
TS_SEED = b"\x33" * 32
PASSWORD_KEY, RECOVERY_KEY = b"\x0c" * 32, b"\x0d" * 32


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_peer(tmp_path_factory.mktemp("peer"))


@pytest.fixture
def peer(script: Path) -> Iterator[TypeScriptPeer]:
    started = TypeScriptPeer(script)
    try:
        yield started
    finally:
        started.close()


def view_of(account: bytes, entries: list[dict[str, str]]) -> AccountView:
    bodies = [(one["kind"], bytes.fromhex(one["body"])) for one in entries]
    view = open_account(bodies[0][1], server=SERVER, account=account)
    for kind, body in bodies[1:]:
        view = apply_entry(view, kind, body)
    return view


def entry_json(entry: Entry) -> dict[str, Any]:
    return {"header": entry.header, "salt": entry.salt, "body": entry.body}


@dataclass
class Conversation:
    """A thread between a Python account and a TypeScript account over one chain."""

    here: Person
    there: TypeScriptPeer
    their_view: AccountView
    chain: Chain
    state: state.ThreadState
    prekeys: Prekeys
    their_entries: list[dict[str, str]]
    their_size: int = 0
    versions: int = 0

    def say_here(self, text: str, **more: Any) -> send.Sent:
        bundle = None
        if send.needs_bundle(self.state) or more.get("restart"):
            bundle = self.their_bundle(more.pop("one_time", 0))
        self.versions += 1
        sent = send.send(
            self.state,
            more.pop("content", TextContent(text)),
            own=self.here.own,
            session_version=self.versions,
            checkpoint=NOTHING_SEEN,
            now=NOW,
            random=self.here.random,
            bundle=bundle,
            **more,
        )
        self.state = sent.state
        self.chain.extend(sent.drafts)
        return sent

    def their_bundle(self, one_time: int | None) -> identity.PeerBundle:
        data = bytes.fromhex(self.there.ask("bundle", one_time=one_time)["bundle"])
        return identity.open_bundle(
            data, server=SERVER, account=TS_ACCOUNT, pinned=self.their_view.fingerprint
        )

    def say_there(self, text: str, **more: Any) -> dict[str, Any]:
        self.versions += 1
        sent = self.there.ask(
            "send", thread=THREAD, text=text, now=NOW, version=self.versions, **more
        )
        for append in sent["appends"]:
            self.chain.append(append["kind"], bytes.fromhex(append["body"]))
        return sent

    def read_here(self) -> list[dict[str, Any]]:
        reader = Reader(self.here.own, self.their_view, NOW, refreshed=True)
        entries = self.chain.entries[self.state.chain.size :]
        reading = receive(self.state, self.prekeys, entries, reader)
        self.state, self.prekeys = reading.state, reading.prekeys
        return [event_json(event) for event in reading.events]

    def read_there(self) -> list[dict[str, Any]]:
        entries = [entry_json(entry) for entry in self.chain.entries[self.their_size :]]
        answer = self.there.ask("receive", thread=THREAD, entries=entries, now=NOW, refreshed=True)
        self.their_size = len(self.chain.entries)
        events: list[dict[str, Any]] = answer["events"]
        return events


def converse(peer: TypeScriptPeer) -> Conversation:
    made = peer.ask(
        "new_identity",
        seed=TS_SEED,
        server=SERVER,
        account=TS_ACCOUNT,
        name="typescript",
        now=NOW,
        batch=4,
    )
    here = person("python")
    pinned = peer.ask(
        "peer",
        account=here.account,
        entries=[{"kind": kind, "body": body} for kind, body in here.entries],
    )
    their_view = view_of(TS_ACCOUNT, made["entries"])
    assert pinned["fingerprint"] == here.view.fingerprint.hex()
    assert made["fingerprint"] == their_view.fingerprint.hex()
    assert pinned["safety_number"] == identity.safety_number(
        their_view.fingerprint, here.view.fingerprint
    )
    peer.ask("thread", thread=THREAD, peer=here.account)
    fresh = state.new_thread(THREAD, TS_ACCOUNT)
    return Conversation(here, peer, their_view, Chain(), fresh, here.prekeys, made["entries"])


def texts(events: list[dict[str, Any]], name: str = Received.__name__) -> list[str]:
    return [event["content"]["text"] for event in events if event["event"] == name]


def talk_on(conversation: Conversation) -> None:
    """Both say things in several turns and read each other."""
    for turn in range(3):
        conversation.say_here(f"python {turn}")
        conversation.say_here(f"python again {turn} grüße 🙂", aead="AES-XChaCha")
        assert texts(conversation.read_there()) == [
            f"python {turn}",
            f"python again {turn} grüße 🙂",
        ]
        conversation.say_there(f"typescript {turn}", aead="ChaCha20-Poly1305")
        conversation.say_there(f"typescript again {turn} ñandú")
        events = conversation.read_here()
        assert texts(events) == [f"typescript {turn}", f"typescript again {turn} ñandú"]
        assert [event["gap"] for event in events if event["event"] == "Received"] == [0, 0]


@pytest.mark.parametrize("one_time", [2, None])
def test_python_begins(peer: TypeScriptPeer, one_time: int | None) -> None:
    conversation = converse(peer)
    conversation.say_here("first", one_time=one_time)
    events = conversation.read_there()
    names = [event["event"] for event in events]
    assert names == [ThreadOpened.__name__, SessionStarted.__name__, Received.__name__]
    assert events[1]["last_resort"] == (one_time is None)
    assert texts(events) == ["first"]
    talk_on(conversation)


@pytest.mark.parametrize("one_time", [(1, 5), None])
def test_typescript_begins(peer: TypeScriptPeer, one_time: tuple[int, int] | None) -> None:
    conversation = converse(peer)
    conversation.say_there("first", bundle=conversation.here.bundle(one_time))
    events = conversation.read_here()
    assert texts(events) == ["first"]
    spent = conversation.prekeys.batches[0].keys[5] is None
    assert spent == (one_time is not None)
    assert texts(conversation.read_there(), OwnMessage.__name__) == ["first"]
    talk_on(conversation)


def test_states_are_the_same_bytes_in_both_languages(peer: TypeScriptPeer) -> None:
    """Each saves, the other reads, writes again, and nothing changed."""
    conversation = converse(peer)
    conversation.say_there("hello", bundle=conversation.here.bundle((1, 1)))
    conversation.read_here()
    talk_on(conversation)
    theirs = peer.ask("save_state", thread=THREAD)["state"]
    assert state.save(state.load(bytes.fromhex(theirs))).hex() == theirs
    mine = state.save(conversation.state).hex()
    peer.ask("load_state", thread=THREAD, state=mine)
    assert peer.ask("save_state", thread=THREAD)["state"] == mine
    kept = peer.ask("save_prekeys")["prekeys"]
    assert to_bytes(from_bytes(Prekeys, bytes.fromhex(kept))).hex() == kept
    peer.ask("load_state", thread=THREAD, state=theirs)
    talk_on(conversation)


def test_skipped_replaced_resent_and_refused(peer: TypeScriptPeer) -> None:
    conversation = converse(peer)
    conversation.say_here("one")
    conversation.read_there()
    lost = conversation.say_here("lost").id
    conversation.chain.entries.pop()
    conversation.say_here("after")
    (received,) = conversation.read_there()
    assert (texts([received]), received["gap"]) == (["after"], 1)
    reset = peer.ask(
        "reset", thread=THREAD, session=conversation.state.current, ids=[lost], now=NOW
    )
    conversation.chain.append(reset["append"]["kind"], bytes.fromhex(reset["append"]["body"]))
    asked = [event for event in conversation.read_here() if event["event"] == "ResetAsked"]
    assert asked[0]["ids"] == [lost.hex()]
    conversation.say_here("", content=ResentContent(lost, "lost"), restart=True, one_time=3)
    events = conversation.read_there()
    (again,) = [event for event in events if event["event"] == "Received"]
    assert again["content"] == {"kind": "resent", "id": lost.hex(), "text": "lost"}
    conversation.chain.append("message", read_first_message(conversation))
    (refused,) = conversation.read_there()
    assert (refused["event"], refused["reason"]) == ("Undecryptable", "rules")
    talk_on_after_own(conversation)


def read_first_message(conversation: Conversation) -> bytes:
    return next(entry.body or b"" for entry in conversation.chain.entries[3:4])


def talk_on_after_own(conversation: Conversation) -> None:
    """The replayed own message stands in the chain; here it is refused too, and life goes on."""
    events = conversation.read_here()
    assert events[-1]["event"] == "Undecryptable"
    conversation.say_here("still here")
    assert texts(conversation.read_there()) == ["still here"]


def test_a_rolled_back_state_is_noticed_by_both(peer: TypeScriptPeer) -> None:
    conversation = converse(peer)
    conversation.say_here("one")
    conversation.read_there()
    old_there = peer.ask("save_state", thread=THREAD)["state"]
    old_size = conversation.their_size
    conversation.say_there("two")
    conversation.read_there()
    peer.ask("load_state", thread=THREAD, state=old_there)
    conversation.their_size = old_size
    with pytest.raises(PeerError) as refused:
        conversation.read_there()
    assert refused.value.kind == RolledBack.__name__
    old_here = conversation.state
    conversation.read_here()
    conversation.say_here("three")
    conversation.state = replace(old_here, kept=())
    with pytest.raises(RolledBack):
        conversation.read_here()


def test_forgeries_are_refused_and_leave_typescripts_state(peer: TypeScriptPeer) -> None:
    conversation = converse(peer)
    conversation.say_here("hello")
    conversation.read_there()
    conversation.say_here("second")
    honest = conversation.chain.entries.pop()
    before = peer.ask("save_state", thread=THREAD)["state"]
    known = state.load(bytes.fromhex(before))
    body = honest.body or b""
    for at in range(70, len(body), 397):
        altered = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        conversation.chain.append("message", altered)
        (event,) = conversation.read_there()
        assert event["event"] == "Undecryptable", at
        after = state.load(bytes.fromhex(peer.ask("save_state", thread=THREAD)["state"]))
        unmoved = replace(after, chain=known.chain, last_message=known.last_message)
        assert state.save(unmoved).hex() == before
        conversation.chain.entries.pop()
        peer.ask("load_state", thread=THREAD, state=before)
        conversation.their_size -= 1
    conversation.chain.append("message", body)
    assert texts(conversation.read_there()) == ["second"]


def test_marks_are_read_both_ways(peer: TypeScriptPeer) -> None:
    conversation = converse(peer)
    conversation.say_here("hello")
    conversation.read_there()
    conversation.read_here()
    theirs = bytes.fromhex(peer.ask("seal_mark", thread=THREAD, sequence=3, time=NOW)["blob"])
    assert marks.open_mark(conversation.state, TS_ACCOUNT, theirs) == marks.ReadMark(3, NOW)
    account = conversation.here.account
    mine = marks.seal_mark(conversation.state, account, marks.ReadMark(4, NOW + 1), b"\x01" * 32)
    opened = peer.ask("open_mark", thread=THREAD, author=account, blob=mine)
    assert (opened["sequence"], opened["time"]) == (4, NOW + 1)


def test_history_is_opened_by_the_others_keys(peer: TypeScriptPeer) -> None:
    conversation = converse(peer)
    mine = conversation.say_here("from python")
    conversation.read_there()
    theirs = conversation.say_there("from typescript")
    conversation.read_here()
    body = conversation.chain.entries[-1].body or b""
    signed = envelope.open_archived(
        read_envelope(body),
        bytes.fromhex(theirs["key"]),
        thread=THREAD,
        public_of=lambda _: conversation.their_view.keys[0].signing,
    )
    assert signed.content == TextContent("from typescript")
    kept = next(one for one in mine.state.kept if one.id == mine.id)
    found = peer.ask(
        "open_history", thread=THREAD, body=conversation.chain.entries[3].body, key=kept.key
    )
    assert found["author"] == conversation.here.account.hex()
    assert found["content"]["text"] == "from python"


@dataclass
class Folder:
    """A private folder as the server keeps it: blobs by label, and the wraps."""

    wraps: bytes
    blobs: dict[str, bytes]


def folder_of_typescript(peer: TypeScriptPeer) -> Folder:
    """Everything that the TypeScript account would have put."""
    wraps = peer.ask("new_vault", password=PASSWORD_KEY, recovery=RECOVERY_KEY)["wraps"]
    plain = {
        vault.LABEL_KEYS: peer.ask("seal_keys")["keys"],
        vault.LABEL_PREKEYS: peer.ask("save_prekeys")["prekeys"],
        vault.label_session(THREAD): peer.ask("save_state", thread=THREAD)["state"],
    }
    blobs = {}
    for label, plaintext in plain.items():
        sealed = peer.ask("seal_file", label=label, version=1, plaintext=plaintext)
        blobs[label] = bytes.fromhex(sealed["blob"])
    return Folder(bytes.fromhex(wraps), blobs)


@pytest.mark.parametrize(("which", "key"), [("password", PASSWORD_KEY), ("recovery", RECOVERY_KEY)])
def test_a_session_begun_in_typescript_goes_on_in_python(
    peer: TypeScriptPeer, which: vault.Which, key: bytes
) -> None:
    """The TypeScript account signs in from a Python client, with the folder's blobs alone."""
    conversation = converse(peer)
    conversation.say_there("begun in typescript", bundle=conversation.here.bundle((1, 0)))
    conversation.read_here()
    conversation.say_here("answered")
    conversation.read_there()
    folder = folder_of_typescript(peer)

    opened = vault.open_wraps(folder.wraps, account=TS_ACCOUNT, which=which, key=key)

    def read(label: str) -> bytes:
        return vault.open_file(opened, label, version=1, blob=folder.blobs[label])

    secrets = accountkeys.open_account_keys(opened, from_bytes(AccountKeys, read(vault.LABEL_KEYS)))
    newest = secrets.generations[-1]
    own = OwnKeys(
        conversation.their_view,
        newest.generation,
        HYBRID.generate(newest.signing),
        {newest.generation: AgreementKey(newest.agreement)},
    )
    assert HYBRID.generate(secrets.root).public == conversation.their_view.root
    theirs = state.load(read(vault.label_session(THREAD)))
    prekeys = from_bytes(Prekeys, read(vault.LABEL_PREKEYS))
    sent = send.send(
        theirs,
        TextContent("goes on in python"),
        own=own,
        session_version=20,
        checkpoint=NOTHING_SEEN,
        now=NOW,
        random=SeededRandom(b"moved"),
    )
    conversation.chain.extend(sent.drafts)
    assert texts(conversation.read_here()) == ["goes on in python"]
    conversation.say_here("and on")
    reading = receive(
        sent.state,
        prekeys,
        conversation.chain.entries[theirs.chain.size :],
        Reader(own, conversation.here.view, NOW, refreshed=True),
    )
    assert [event.content.text for event in reading.events if type(event) is Received] == ["and on"]


def test_a_session_begun_in_python_goes_on_in_typescript(
    peer: TypeScriptPeer, script: Path
) -> None:
    """The Python account signs in from a TypeScript client, with the folder's blobs alone."""
    conversation = converse(peer)
    conversation.say_here("begun in python")
    conversation.read_there()
    conversation.say_there("answered")
    conversation.read_here()
    here = conversation.here
    made = vault.new_vault(
        here.account,
        personal_key=PASSWORD_KEY,
        recovery_key=RECOVERY_KEY,
        random=SeededRandom(b"python's vault"),
    )
    keys = accountkeys.seal_account_keys(
        made.vault,
        here.secrets,
        SeededRandom(b"nonces"),
    )
    plain = {
        vault.LABEL_KEYS: to_bytes(keys),
        vault.LABEL_PREKEYS: to_bytes(conversation.prekeys),
        vault.label_session(THREAD): state.save(conversation.state),
    }
    moved = TypeScriptPeer(script)
    try:
        moved.ask(
            "open_vault",
            account=here.account,
            wraps=vault.save_wraps(made.wraps),
            by="password",
            key=PASSWORD_KEY,
        )
        files = {}
        for number, (label, plaintext) in enumerate(plain.items()):
            blob = vault.seal_file(
                made.vault, label, version=3, plaintext=plaintext, salt=bytes([number]) * 32
            )
            opened = moved.ask("open_file", label=label, version=3, blob=blob)
            files[label] = opened["plaintext"]
            with pytest.raises(PeerError) as refused:
                moved.ask("open_file", label=label, version=4, blob=blob)
            assert refused.value.kind == "AuthenticationFailed"
        loaded = moved.ask(
            "load_identity",
            seed=b"\x44" * 32,
            server=SERVER,
            account=here.account,
            entries=[{"kind": kind, "body": body} for kind, body in here.entries],
            keys=files[vault.LABEL_KEYS],
        )
        assert loaded["fingerprint"] == here.view.fingerprint.hex()
        moved.ask("load_prekeys", prekeys=files[vault.LABEL_PREKEYS])
        moved.ask("load_state", thread=THREAD, state=files[vault.label_session(THREAD)])
        moved.ask("peer", account=TS_ACCOUNT, entries=conversation.their_entries)
        size = conversation.state.chain.size
        sent = moved.ask("send", thread=THREAD, text="goes on in typescript", now=NOW, version=30)
        for append in sent["appends"]:
            conversation.chain.append(append["kind"], bytes.fromhex(append["body"]))
        assert texts(conversation.read_there()) == ["goes on in typescript"]
        conversation.say_there("and on")
        entries = [entry_json(entry) for entry in conversation.chain.entries[size:]]
        events = moved.ask("receive", thread=THREAD, entries=entries, now=NOW)["events"]
        assert texts(events) == ["and on"]
        assert texts(events, OwnMessage.__name__) == ["goes on in typescript"]
    finally:
        moved.close()


def test_a_vault_rotated_in_typescript_opens_in_python(peer: TypeScriptPeer) -> None:
    converse(peer)
    folder = folder_of_typescript(peer)
    label = vault.label_archive(THREAD, 0)
    archived = peer.ask("seal_file", label=label, version=1, plaintext=b"old segment")["blob"]
    new = b"\x0e" * 32
    rotated = peer.ask(
        "rotate_vault", wraps=folder.wraps, by="password", key=PASSWORD_KEY, password=new
    )
    opened = vault.open_wraps(
        bytes.fromhex(rotated["wraps"]), account=TS_ACCOUNT, which="password", key=new
    )
    assert opened.epoch == 2
    plaintext = vault.open_file(opened, label, version=1, blob=bytes.fromhex(archived))
    assert plaintext == b"old segment"


def test_unlock_and_recovery_are_the_same(peer: TypeScriptPeer) -> None:
    converse(peer)
    code = bytes(range(20))
    mine = unlock.recovery_keys(code, TS_ACCOUNT)
    theirs = peer.ask("recovery", code=code, account=TS_ACCOUNT)
    assert theirs["text"] == unlock.write_recovery_code(code)
    assert theirs["login_key"] == mine.login.hex()
    assert theirs["recovery_key"] == mine.recovery.hex()
