"""Direct threads told as stories: two people, their browsers and a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_msg.codec.messages import KIND_MESSAGE, KIND_OPENED, session_id
from secure_msg.codec.schema import from_bytes
from secure_msg.crypto.random import SeededRandom
from secure_msg.e2ee import marks, send, state, thread, vault
from secure_msg.e2ee.envelope import ResentContent, TextContent
from secure_msg.e2ee.errors import (
    AuthenticationFailed,
    Misuse,
    NeedsAccount,
    PeerViolation,
    RolledBack,
    ServerViolation,
    StaleSession,
)
from secure_msg.e2ee.events import (
    Event,
    FolderRolledBack,
    OwnMessage,
    Received,
    Refused,
    ResetAsked,
    SessionStarted,
    ThreadOpened,
    Undecryptable,
)
from secure_msg.e2ee.state import ArchiveSegment
from secure_msg.e2ee.thread import Reader, receive
from tests.e2ee.world import (
    NOTHING_SEEN,
    NOW,
    THREAD,
    Browser,
    Person,
    Refusal,
    Server,
    person,
    rotate_keys,
)

HOUR = 3_600_000


class Two:
    """Alice and Bob with a browser each."""

    def __init__(self, *, batch: int = 8) -> None:
        self.server = Server()
        self.alice, self.bob = person("alice", batch=batch), person("bob", batch=batch)
        self.a, self.b = self.browser(self.alice), self.browser(self.bob)

    def browser(self, who: Person, *, seed: int = 0) -> Browser:
        peer = self.bob if who is self.alice else self.alice
        return Browser(who, peer, self.server, seed=seed)


def of(events: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if type(event) is kind]


def test_a_first_message_opens_thread_session_and_turn() -> None:
    two = Two()
    sent = two.a.say("hello")
    kinds = [draft.kind for draft in sent.drafts]
    assert kinds == ["opened", "handshake", "opening", "message"]
    assert [draft.expected for draft in sent.drafts] == [0, None, None, None]
    events = two.b.sync()
    assert [type(event) for event in events] == [ThreadOpened, SessionStarted, Received]
    assert two.b.texts() == ["hello"]
    assert two.b.state.current == sent.session == two.server.registers[THREAD]
    two.a.sync()
    assert of(two.a.events, OwnMessage)[0] == OwnMessage(3, sent.id, NOW, TextContent("hello"))


def test_a_second_message_before_reading_does_not_open_the_thread_again() -> None:
    two = Two()
    two.a.post(two.a.draft("one"))
    again = two.a.draft("two")
    assert [draft.kind for draft in again.drafts] == [KIND_MESSAGE]
    two.a.post(again)
    two.b.sync()
    assert two.b.texts() == ["one", "two"]


def test_both_begin_at_once_and_the_first_one_wins() -> None:
    two = Two()
    late = two.b.draft("me too")
    two.a.say("hello")
    with pytest.raises(Refusal):
        two.b.post(late)
    two.b.reload()
    two.b.say("me too")
    two.a.sync()
    assert two.a.texts() == ["me too"]
    assert two.b.texts() == ["hello"]
    assert two.a.state.current == two.b.state.current


def test_a_lying_server_that_takes_both_beginnings_is_received_on_both() -> None:
    two = Two()
    two.server.ignores_register = True
    a, b = two.a.draft("from alice"), two.b.draft("from bob")
    two.a.post(replace(a, drafts=a.drafts))
    two.b.post(replace(b, drafts=tuple(d for d in b.drafts if d.kind != KIND_OPENED)))
    for browser in (two.a, two.b):
        browser.sync()
    assert (two.a.texts(), two.b.texts()) == (["from bob"], ["from alice"])
    assert len(two.a.state.sessions) == len(two.b.state.sessions) == 2
    two.a.post(two.a.draft("still here"))
    two.b.sync()
    assert two.b.texts() == ["from alice", "still here"]


def test_two_browsers_of_one_account_never_fork_the_ratchet() -> None:
    two = Two()
    other = two.browser(two.alice, seed=1)
    two.a.say("from one")
    with pytest.raises(Refusal):
        other.post(other.draft("raced"))
    other.reload()
    other.say("from the other")
    with pytest.raises(RolledBack):
        two.a.sync()
    two.a.reload()
    two.a.say("and back")
    two.b.sync()
    assert two.b.texts() == ["from one", "from the other", "and back"]
    assert not of(two.b.events, FolderRolledBack)


def test_prekeys_run_out_and_the_last_resort_is_shown() -> None:
    two = Two(batch=1)
    two.a.say("with a one-time key")
    two.a.say("again", restart=True)
    two.b.sync()
    started = of(two.b.events, SessionStarted)
    assert [event.last_resort for event in started] == [False, True]  # type: ignore[union-attr]
    assert two.b.texts() == ["with a one-time key", "again"]


def test_a_new_session_replaces_and_old_ones_stay_readable_up_to_four() -> None:
    two = Two(batch=8)
    for number in range(6):
        two.a.say(f"{number}", restart=True)
    two.b.sync()
    assert two.b.texts() == [f"{number}" for number in range(6)]
    held = [session.id for session in two.b.state.sessions]
    assert len(held) == 4
    assert held[-1] == two.b.state.current
    two.b.say("answer")
    two.a.sync()
    assert two.a.texts() == ["answer"]


def test_a_responder_without_a_message_begins_a_session_of_its_own() -> None:
    two = Two()
    two.server.loses = lambda kind: kind == KIND_MESSAGE
    two.a.say("lost")
    two.server.loses = lambda _: False
    two.b.sync()
    assert send.needs_bundle(two.b.state)
    assert next(draft.kind for draft in two.b.say("hello?").drafts) == "handshake"
    two.a.sync()
    assert two.a.texts() == ["hello?"]


def test_a_new_session_without_a_bundle_is_refused() -> None:
    two = Two()
    with pytest.raises(StaleSession):
        send.send(
            two.a.state,
            TextContent("x"),
            own=two.alice.own,
            session_version=1,
            checkpoint=NOTHING_SEEN,
            now=NOW,
            random=SeededRandom(b"x"),
        )


def test_at_most_64_messages_wait_for_their_place() -> None:
    two = Two()
    for number in range(64):
        two.a.post(two.a.draft(f"{number}"))
    with pytest.raises(Misuse):
        two.a.draft("one more")
    two.a.sync()
    two.a.post(two.a.draft("one more"))


def test_rotated_keys_are_asked_for_and_then_used() -> None:
    two = Two()
    two.a.say("generation one")
    two.b.sync()
    earlier = two.alice.view
    rotate_keys(two.alice)
    two.a.say("generation two")
    new = two.server.chain(THREAD).entries[two.b.state.chain.size :]
    before = state.save(two.b.state)
    with pytest.raises(NeedsAccount) as asked:
        receive(two.b.state, two.b.prekeys, new, Reader(two.bob.own, earlier, NOW))
    assert asked.value.generation == 2
    assert state.save(two.b.state) == before
    reading = receive(
        two.b.state, two.b.prekeys, new, Reader(two.bob.own, earlier, NOW, refreshed=True)
    )
    assert [event.reason for event in reading.events if type(event) is Undecryptable] == ["rules"]
    two.b.sync()
    assert two.b.texts() == ["generation one", "generation two"]


def test_history_is_archived_in_segments_and_read_again_by_key() -> None:
    two = Two()
    for number in range(300):
        two.a.post(two.a.draft(f"{number}"))
        two.a.sync()
    two.a.save()
    assert two.a.state.segments == 1
    assert len(two.a.state.kept) == 300 - 192
    label = vault.label_archive(THREAD, 0)
    version, blob = two.server.file(two.alice.account, vault.path_for(two.a.vault, label)) or (
        0,
        b"",
    )
    data = vault.open_file(two.a.vault, label, version=version, blob=blob)
    segment = from_bytes(ArchiveSegment, data)
    assert (segment.number, len(segment.keys)) == (0, 192)
    assert [kept.sequence for kept in segment.keys] == sorted(
        kept.sequence for kept in segment.keys
    )
    assert (segment.first, segment.last) == (segment.keys[0].sequence, segment.keys[-1].sequence)
    views = {"own": two.alice.view, "peer": two.bob.view}
    for number in (0, 100, 191):
        kept = segment.keys[number]
        body = two.server.chain(THREAD).entries[kept.sequence].body or b""
        entry = thread.open_history(body, kept.key, thread=THREAD, **views)
        assert (entry.author, entry.id) == (two.alice.account, kept.id)
        assert entry.signed.content == TextContent(f"{number}")
        with pytest.raises(AuthenticationFailed):
            thread.open_history(body, bytes(32), thread=THREAD, **views)
        with pytest.raises(PeerViolation):
            thread.open_history(body, kept.key, thread=THREAD, own=two.bob.view, peer=two.bob.view)
    two.b.sync()
    assert two.b.texts() == [f"{number}" for number in range(300)]
    assert [one.number for one in two.b.segments] == [0]


def test_many_new_entries_at_once_are_archived_while_reading() -> None:
    two = Two()
    for number in range(600):
        two.a.post(two.a.draft(f"{number}"))
        two.a.sync()
    two.b.sync()
    assert [one.number for one in two.b.segments] == [0, 1]
    assert len(two.b.state.kept) == 600 - 2 * 192


def ask_again(two: Two, *, now: int = NOW) -> bytes:
    """Bob loses his files' newest state and asks for a message again."""
    lost = two.a.say("please keep this").id
    draft = send.ask_reset(two.b.state, two.b.state.current, (lost,), own=two.bob.own, now=now)
    two.server.chain(THREAD).append(draft.kind, draft.body)
    return lost


def test_repair_starts_a_new_session_and_resends_under_the_old_id() -> None:
    two = Two()
    two.a.say("hello")
    two.b.say("hi")
    lost = ask_again(two)
    asked = [event for event in two.a.sync() if type(event) is ResetAsked]
    assert asked[0].ids == (lost,)
    kept = state.kept_key(two.a.state, lost)
    assert kept is not None
    two.a.say("ignored text", restart=True)
    two.a.post(two.a.draft(ResentContent(lost, "please keep this")))
    # Bob reads with sessions that cannot open what was lost, as after a restored folder.
    two.b.state = replace(
        two.b.state,
        sessions=tuple(
            replace(held, ratchet=replace(held.ratchet, next_receive=bytes(32)))
            for held in two.b.state.sessions
        ),
    )
    events = two.b.sync()
    assert [event.reason for event in events if type(event) is Undecryptable] == ["forged"]
    contents = [event.content for event in events if type(event) is Received]
    assert contents == [TextContent("ignored text"), ResentContent(lost, "please keep this")]


def test_a_reset_is_answered_once_an_hour() -> None:
    two = Two()
    two.a.say("hello")
    two.b.say("hi")
    ask_again(two)
    assert len(of(two.a.sync(), ResetAsked)) == 1
    ask_again(two)
    assert len(of(two.a.sync(), Refused)) == 1
    two.a.now = NOW + HOUR + 1
    ask_again(two)
    assert len(of(two.a.sync(), ResetAsked)) == 1


def test_attack_09_a_reset_that_was_answered_is_not_played_again() -> None:
    """Its session is no longer the thread's; nothing is sent again, and a new reset is free."""
    two = Two()
    two.a.say("hello")
    two.b.say("hi")
    ask_again(two)
    reset = two.server.chain(THREAD).entries[-1]
    two.a.say("in a new session", restart=True)
    two.b.sync()
    two.a.now = NOW + HOUR + 1
    two.server.chain(THREAD).append("session-reset", reset.body or b"")
    before = two.a.state
    assert [type(event) for event in two.a.sync()] == [OwnMessage, Refused]
    assert two.a.state.resets == before.resets
    ask_again(two)
    assert len(of(two.a.sync(), ResetAsked)) == 1


def test_what_was_read_cannot_be_resent() -> None:
    two = Two()
    first = two.a.say("original").id
    two.b.sync()
    two.a.sync()
    two.a.post(two.a.draft(ResentContent(first, "altered")))
    (event,) = two.b.sync()
    assert type(event) is Undecryptable
    assert event.reason == "rules"
    two.a.post(two.a.draft("next"))
    (event,) = two.b.sync()
    assert type(event) is Received
    assert event.gap == 1


def test_an_erased_message_leaves_a_gap_and_the_turn_goes_on() -> None:
    two = Two()
    two.a.post(two.a.draft("first of its turn, erased"))
    two.a.post(two.a.draft("second"))
    entries = two.server.chain(THREAD).entries
    erased = next(at for at, one in enumerate(entries) if len(one.body or b"") > 4_000 and at > 2)
    entries[erased] = replace(entries[erased], body=None)
    events = two.b.sync()
    assert [event.reason for event in events if type(event) is Undecryptable] == ["erased"]
    received = [event for event in events if type(event) is Received]
    assert [(event.content, event.gap) for event in received] == [(TextContent("second"), 1)]
    entries[2] = replace(entries[2], body=None)
    with pytest.raises(ServerViolation):
        two.browser(two.bob, seed=9).sync()


def test_a_session_reset_unknown_kinds_and_strangers_are_refused_one_by_one() -> None:
    two, mallory = Two(), person("mallory")
    two.a.say("hello")
    chain = two.server.chain(THREAD)
    chain.append("surprise", b"\x80")
    chain.append("handshake", b"\x80")
    chain.append("opening", b"")
    chain.append("session-reset", b"nonsense")
    forged = send.ask_reset(two.a.state, two.a.state.current, (), own=mallory.own, now=NOW)
    chain.append(forged.kind, forged.body)
    chain.append(KIND_MESSAGE, b"\x80")
    stranger = Browser(mallory, two.bob, Server())
    stranger.thread = THREAD
    for draft in stranger.draft("from a stranger").drafts[1:]:
        chain.append(draft.kind, draft.body)
    events = two.b.sync()
    assert len(of(events, Refused)) == 7
    assert [event.reason for event in events if type(event) is Undecryptable] == [
        "malformed",
        "author",
    ]
    assert two.b.texts() == ["hello"]
    assert len(two.b.state.sessions) == 1
    two.a.say("still talking")


def test_the_opening_of_a_thread_names_its_members() -> None:
    two, carol = Two(), person("carol")
    other = Browser(two.alice, carol, Server())
    foreign = other.draft("for carol").drafts[0]
    chain = two.server.chain(THREAD)
    chain.append(foreign.kind, foreign.body)
    (event,) = two.b.sync()
    assert type(event) is Refused
    with pytest.raises(Misuse):
        receive(two.b.state, two.b.prekeys, [], Reader(two.bob.own, carol.view, NOW))


def test_a_bundle_of_somebody_else_is_not_sent_to() -> None:
    two, carol = Two(), person("carol")
    with pytest.raises(Misuse):
        send.send(
            two.a.state,
            TextContent("x"),
            own=two.alice.own,
            session_version=1,
            checkpoint=NOTHING_SEEN,
            now=NOW,
            random=SeededRandom(b"x"),
            bundle=carol.peer_bundle(),
        )


def test_read_marks_are_for_the_other_member() -> None:
    two = Two()
    two.a.say("hello")
    two.b.sync()
    blob = marks.seal_mark(two.b.state, two.bob.account, marks.ReadMark(3, NOW), bytes(range(32)))
    assert len(blob) == marks.MARK_SIZE == 112
    assert marks.open_mark(two.a.state, two.bob.account, blob) == marks.ReadMark(3, NOW)
    with pytest.raises(AuthenticationFailed):
        marks.open_mark(two.a.state, two.alice.account, blob)
    for at in range(len(blob)):
        altered = bytearray(blob)
        altered[at] ^= 1
        with pytest.raises((AuthenticationFailed, PeerViolation)):
            marks.open_mark(two.a.state, two.bob.account, bytes(altered))
    with pytest.raises(PeerViolation):
        marks.open_mark(two.a.state, two.bob.account, blob[:-1])
    with pytest.raises(Misuse):
        marks.seal_mark(
            state.new_thread(THREAD, two.bob.account),
            two.alice.account,
            marks.ReadMark(0, NOW),
            bytes(32),
        )


def test_after_a_rollback_a_new_session_begins_with_consent() -> None:
    two = Two()
    two.a.say("one")
    two.b.sync()
    two.b.say("answer")
    two.a.say("two")
    # Only the first version of Alice's session file is left.
    path = vault.path_for(two.a.vault, vault.label_session(THREAD))
    old = two.server.files[two.alice.account, path][:1]
    two.server.files[two.alice.account, path] = old
    fresh = two.browser(two.alice, seed=5)
    with pytest.raises(RolledBack):
        fresh.sync()
    entries = two.server.chain(THREAD).entries[fresh.state.chain.size :]
    size = len(two.server.chain(THREAD).entries)
    reading = thread.receive(
        thread.abandon(fresh.state),
        fresh.prekeys,
        entries,
        Reader(two.alice.own, two.bob.view, NOW, refreshed=True, unknown_own_below=size),
    )
    fresh.state, fresh.prekeys = reading.state, reading.prekeys
    reasons = {event.reason for event in reading.events if type(event) is Undecryptable}
    assert reasons == {"session"}
    sent = fresh.draft("we start anew")
    assert [draft.kind for draft in sent.drafts] == ["handshake", "opening", "message"]
    fresh.post(sent)
    two.b.sync()
    assert two.b.texts()[-1] == "we start anew"
    assert len(of(two.b.events, FolderRolledBack)) == 1
    assert session_id(sent.drafts[0].body) == two.b.state.current
