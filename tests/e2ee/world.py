"""People, their browsers and a server in memory, for the tests of the end-to-end protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from secure_msg.codec.accounts import (
    KIND_ACCOUNT,
    KIND_KEYS,
    KIND_PREKEY_BATCH,
    BatchEntry,
    BatchLeaf,
    Bundle,
    OneTime,
)
from secure_msg.codec.messages import (
    KIND_HANDSHAKE,
    KIND_MESSAGE,
    KIND_OPENING,
    OpeningEntry,
    read_envelope,
    read_handshake,
    session_id,
)
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.random import RandomBytes, SeededRandom
from secure_msg.crypto.signature import SigningKey
from secure_msg.e2ee import handshake, identity, ratchet, state, vault
from secure_msg.e2ee.accountkeys import AccountSecrets
from secure_msg.e2ee.envelope import Content, Signed, TextContent
from secure_msg.e2ee.events import Checkpoint, Event, Received
from secure_msg.e2ee.identity import OwnKeys, PeerBundle
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.send import Draft, Sent, needs_bundle, send
from secure_msg.e2ee.state import ThreadState
from secure_msg.e2ee.thread import Reader, receive
from secure_msg.ledger.accountchain import AccountView, apply_entry
from secure_msg.ledger.chain import ChainHeader, content_hash
from secure_msg.ledger.merkle import inclusion_path, leaf_hash, root_of

SERVER = b"\x05" * 32
THREAD = b"\x07" * 32
NOW = 1_700_000_000_000
NOTHING_SEEN = Checkpoint(0, bytes(32))


@dataclass
class Person:
    """An account with all its private keys, and the entries of its chain."""

    own: OwnKeys
    root: SigningKey
    prekeys: Prekeys
    entries: list[tuple[str, bytes]]
    secrets: AccountSecrets
    random: RandomBytes

    @property
    def account(self) -> bytes:
        return self.own.account

    @cached_property
    def vault(self) -> vault.Vault:
        made = vault.new_vault(
            self.account,
            personal_key=b"\x01" * 32,
            recovery_key=None,
            random=SeededRandom(b"vault/" + self.account),
        )
        return made.vault

    @property
    def view(self) -> AccountView:
        return self.own.view

    def publish(self, *entries: tuple[str, bytes]) -> None:
        view = self.own.view
        for kind, body in entries:
            view = apply_entry(view, kind, body)
        self.entries.extend(entries)
        self.own = replace(self.own, view=view)

    def bundle(self, one_time: tuple[int, int] | None) -> bytes:
        """The bundle with that one-time key (batch, index), or with none."""
        by_kind = {kind: body for kind, body in self.entries}
        handed = None
        if one_time is not None:
            batch, index = one_time
            bodies = [body for kind, body in self.entries if kind == KIND_PREKEY_BATCH]
            handed = one_time_of(from_bytes(BatchEntry, bodies[batch - 1]), batch, index)
        return to_bytes(
            Bundle(by_kind[KIND_ACCOUNT], by_kind[KIND_KEYS], by_kind["prekey"], handed)
        )

    def peer_bundle(self, one_time: tuple[int, int] | None = (1, 0)) -> PeerBundle:
        return identity.open_bundle(self.bundle(one_time), server=SERVER, account=self.account)


def one_time_of(entry: BatchEntry, batch: int, index: int) -> OneTime:
    leaves = [leaf_hash(to_bytes(BatchLeaf(batch, at, key))) for at, key in enumerate(entry.keys)]

    def node(level: int, at: int) -> bytes:
        return root_of(leaves[at << level : (at + 1) << level])

    path = inclusion_path(index, len(leaves), node)
    return OneTime(entry.statement, index, entry.keys[index], path)


def person(
    name: str,
    *,
    seed: int = 1,
    batch: int = 8,
    account: bytes | None = None,
    random: RandomBytes | None = None,
    server: bytes = SERVER,
    now: int = NOW,
) -> Person:
    """An account with one generation, one signed prekey and one batch."""
    random = random or SeededRandom(f"{name}/{seed}".encode())
    made = identity.new_account(
        server=server,
        account=account or name.encode().ljust(32, b"\x00"),
        name=name,
        batch=batch,
        now=now,
        random=random,
    )
    return Person(made.own, made.root, made.prekeys, list(made.entries), made.secrets, random)


def rotate_keys(who: Person) -> None:
    """The next generation of working keys; the old agreement key is kept."""
    generation = who.own.generation + 1
    made = identity.new_generation(
        who.root, account=who.account, generation=generation, now=NOW, random=who.random
    )
    kept = {**who.own.agreement, generation: made.agreement}
    who.own = OwnKeys(who.own.view, generation, made.signing, kept)
    who.publish((KIND_KEYS, made.body))


@dataclass(frozen=True)
class Entry:
    header: bytes
    salt: bytes
    body: bytes | None


class Chain:
    """A thread's chain as an honest server writes it."""

    def __init__(self, thread: bytes = THREAD) -> None:
        self.thread = thread
        self.entries: list[Entry] = []

    def append(self, kind: str, body: bytes) -> Entry:
        sequence = len(self.entries)
        salt = bytes([sequence % 256]) * 32
        header = ChainHeader(
            self.thread, sequence, kind, NOW + sequence, len(body), content_hash(salt, body)
        )
        entry = Entry(to_bytes(header), salt, body)
        self.entries.append(entry)
        return entry

    def extend(self, drafts: tuple[Draft, ...]) -> None:
        for draft in drafts:
            self.append(draft.kind, draft.body)


class Refusal(Exception):
    """The server's answer 409: `what` moved."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass
class Server:
    """Threads with registers, private files with versions, prekeys; knobs for its lies."""

    chains: dict[bytes, Chain] = field(default_factory=dict)
    registers: dict[bytes, bytes] = field(default_factory=dict)
    files: dict[tuple[bytes, bytes], list[bytes]] = field(default_factory=dict)
    handed: dict[bytes, int] = field(default_factory=dict)
    ignores_register: bool = False
    serves_version: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    ignores_versions: bool = False
    loses: Callable[[str], bool] = field(default=lambda kind: False)

    def chain(self, thread: bytes) -> Chain:
        return self.chains.setdefault(thread, Chain(thread))

    def transact(
        self,
        account: bytes,
        thread: bytes,
        drafts: tuple[Draft, ...],
        puts: tuple[tuple[bytes, int, bytes], ...],
    ) -> None:
        chain = self.chain(thread)
        register = self._checked_register(chain, drafts)
        for path, expected, _ in puts:
            if len(self.files.get((account, path), [])) != expected and not self.ignores_versions:
                raise Refusal("version")
        for path, _, blob in puts:
            self.files.setdefault((account, path), []).append(blob)
        for draft in drafts:
            if not self.loses(draft.kind):
                chain.append(draft.kind, draft.body)
        self.registers[thread] = register

    def _checked_register(self, chain: Chain, drafts: tuple[Draft, ...]) -> bytes:
        register = self.registers.get(chain.thread, b"")
        for draft in drafts:
            if draft.expected is not None and draft.expected != len(chain.entries):
                raise Refusal("size")
            if draft.kind == KIND_HANDSHAKE:
                if read_handshake(draft.body).replaces != register and not self.ignores_register:
                    raise Refusal("stale-session")
                register = session_id(draft.body)
            elif draft.kind in (KIND_OPENING, KIND_MESSAGE):
                record = (
                    read_envelope(draft.body)
                    if draft.kind == KIND_MESSAGE
                    else from_bytes(OpeningEntry, draft.body)
                )
                if record.session != register and not self.ignores_register:
                    raise Refusal("stale-session")
        return register

    def file(self, account: bytes, path: bytes) -> tuple[int, bytes] | None:
        versions = self.files.get((account, path), [])
        shown = self.serves_version.get((account, path), len(versions))
        return (shown, versions[shown - 1]) if shown else None

    def hand_out(self, who: Person) -> bytes:
        """A bundle; the last resort once the batch is used up."""
        index = self.handed.get(who.account, 0)
        batches = [body for kind, body in who.entries if kind == KIND_PREKEY_BATCH]
        if index >= len(from_bytes(BatchEntry, batches[-1]).keys):
            return who.bundle(None)
        self.handed[who.account] = index + 1
        return who.bundle((len(batches), index))


class Browser:
    """One browser of a person's account: reads, writes and saves through the server."""

    def __init__(self, who: Person, peer: Person, server: Server, *, seed: int = 0) -> None:
        self.who, self.peer, self.server = who, peer, server
        self.thread = THREAD
        self.random = SeededRandom(f"browser/{who.own.view.name}/{seed}".encode())
        self.vault = who.vault
        self.events: list[Event] = []
        self.now = NOW
        self.keys_version = 0
        self.reload()

    def _path(self, label: str) -> bytes:
        return vault.path_for(self.vault, label)

    def _read(self, label: str) -> tuple[int, bytes | None]:
        found = self.server.file(self.who.account, self._path(label))
        if found is None:
            return 0, None
        version, blob = found
        return version, vault.open_file(self.vault, label, version=version, blob=blob)

    def _put(self, label: str, version: int, plaintext: bytes) -> tuple[bytes, int, bytes]:
        blob = vault.seal_file(
            self.vault, label, version=version + 1, plaintext=plaintext, salt=self.random(32)
        )
        return self._path(label), version, blob

    def reload(self) -> None:
        """What a browser does at its start: everything from the private folder."""
        self.version, saved = self._read(vault.label_session(self.thread))
        self.state = (
            state.new_thread(self.thread, self.peer.account) if saved is None else state.load(saved)
        )
        self.prekeys_version, kept = self._read(vault.LABEL_PREKEYS)
        self.prekeys = self.who.prekeys if kept is None else from_bytes(Prekeys, kept)
        self.saved_prekeys = self.prekeys
        self.segments: tuple[state.ArchiveSegment, ...] = ()

    def sync(self) -> list[Event]:
        """Read what is new into memory; saved by the next `save` or `say`."""
        new = self.server.chain(self.thread).entries[self.state.chain.size :]
        reader = Reader(self.who.own, self.peer.view, self.now, refreshed=True)
        reading = receive(self.state, self.prekeys, new, reader)
        self.state, self.prekeys = reading.state, reading.prekeys
        self.segments = (*self.segments, *reading.segments)
        self.events.extend(reading.events)
        return list(reading.events)

    def _puts(self, after: ThreadState) -> tuple[tuple[bytes, int, bytes], ...]:
        puts = [self._put(vault.label_session(self.thread), self.version, state.save(after))]
        if self.prekeys != self.saved_prekeys:
            puts.append(
                self._put(vault.LABEL_PREKEYS, self.prekeys_version, to_bytes(self.prekeys))
            )
        for segment in self.segments:
            label = vault.label_archive(self.thread, segment.number)
            puts.append(self._put(label, 0, to_bytes(segment)))
        return tuple(puts)

    def _commit(self, after: ThreadState, drafts: tuple[Draft, ...]) -> None:
        self.server.transact(self.who.account, self.thread, drafts, self._puts(after))
        self.state, self.version = after, self.version + 1
        if self.prekeys != self.saved_prekeys:
            self.saved_prekeys, self.prekeys_version = self.prekeys, self.prekeys_version + 1
        self.segments = ()

    def save(self) -> None:
        self._commit(self.state, ())

    def draft(self, content: Content | str, *, restart: bool = False) -> Sent:
        """A message on top of the state in memory, not yet sent."""
        bundle = None
        if restart or needs_bundle(self.state):
            bundle = identity.open_bundle(
                self.server.hand_out(self.peer), server=SERVER, account=self.peer.account
            )
        return send(
            self.state,
            TextContent(content) if isinstance(content, str) else content,
            own=self.who.own,
            session_version=self.version + 1,
            checkpoint=NOTHING_SEEN,
            now=self.now,
            random=self.random,
            bundle=bundle,
            restart=restart,
        )

    def post(self, sent: Sent) -> None:
        self._commit(sent.state, sent.drafts)

    def say(self, text: str, *, restart: bool = False) -> Sent:
        """Read, send, and on a conflict begin again, as a client does."""
        for _ in range(5):
            self.sync()
            sent = self.draft(text, restart=restart)
            try:
                self.post(sent)
            except Refusal:
                self.reload()
            else:
                return sent
        raise AssertionError("five conflicts in a row")

    def texts(self) -> list[str]:
        return [event.content.text for event in self.events if isinstance(event, Received)]


@dataclass
class Pair:
    """Two ratchets of one session, without threads or servers."""

    alice: Person
    bob: Person
    session: bytes
    confirm: bytes
    states: dict[bytes, ratchet.RatchetState]


def pair(alice: Person, bob: Person, random: RandomBytes) -> Pair:
    bundle = bob.peer_bundle()
    begun = handshake.initiate(
        alice.own, bundle, thread=THREAD, replaces=b"", now=NOW, random=random
    )
    answer = handshake.respond(
        begun.body, own=bob.own, peer=alice.view, thread=THREAD, prekeys=bob.prekeys
    )
    states = {
        alice.account: ratchet.start_initiator(begun.secrets, bundle.prekey.agreement),
        bob.account: ratchet.start_responder(answer.secrets, answer.prekey_private),
    }
    return Pair(alice, bob, begun.session, begun.secrets.confirm, states)


def signed_text(text: str, *, version: int = 1) -> Signed:
    return Signed(1, NOW, 0, bytes(32), version, 0, bytes(32), TextContent(text))
