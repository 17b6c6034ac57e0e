"""How much a message costs on disk: two Python clients of the e2ee package at a real server.

They make the transactions of static/src/model: a send carries the sender's session file (and, once
256 keys are placed, an archive segment); before it the sender follows the thread, so that the own
message before has its place; after a turn both save once, the reader with its read mark. Saves
replace versions of a file, and the server's clean stop flushes, which drops what was superseded.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from secure_msg.codec.accounts import SUITE, Bundle
from secure_msg.codec.fields import from_base64url, to_base64url
from secure_msg.codec.http import (
    EntriesPage,
    PutFile,
    Registration,
    RegistrationResult,
    TransactRequest,
    TransactResult,
    WireAppend,
)
from secure_msg.codec.schema import to_bytes
from secure_msg.crypto.random import system_random
from secure_msg.e2ee import accountkeys, identity, marks, send, state, vault
from secure_msg.e2ee.envelope import TextContent
from secure_msg.e2ee.events import Checkpoint, Received
from secure_msg.e2ee.identity import NewAccount
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.reading import Reader
from secure_msg.e2ee.state import ArchiveSegment, ThreadState
from secure_msg.e2ee.thread import receive
from secure_msg.e2ee.vaultfiles import Contact, Contacts, Settings
from tests.support.api import Api, OverNetwork
from tests.support.server import ServerProcess

MESSAGES, TURN, TEXT_BYTES = 1_000, 10, 100
GOAL_BYTES = 6 * 1024
NOTHING_SEEN = Checkpoint(0, bytes(32))
BATCH = 32


def clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Client:
    """One account with its vault and one thread, as the browser's model keeps them."""

    api: Api
    name: str
    made: NewAccount
    vault: vault.Vault
    prekeys: Prekeys
    versions: dict[bytes, int]
    state: ThreadState | None = None
    unsaved: tuple[ArchiveSegment, ...] = ()
    spent: bool = False
    marked: int = 0
    received: int = 0
    waited: list[float] = field(default_factory=list)

    @property
    def account(self) -> bytes:
        return self.made.own.account

    @property
    def thread(self) -> ThreadState:
        if self.state is None:
            raise RuntimeError("no thread was begun")
        return self.state

    def begin(self, peer: Client) -> None:
        answer = self.api.post_json("/api/threads", {"peer": to_base64url(peer.account)})
        self.state = state.new_thread(from_base64url(answer.json["thread"]), peer.account)
        pinned = peer.made.own.view.fingerprint
        contact = Contact(
            peer.account, peer.name, pinned, "accepted", False, self.state.thread, clock()
        )
        self._transact((), (self._put(vault.LABEL_CONTACTS, to_bytes(Contacts((contact,)))),))

    def say(self, text: str, peer: Client) -> None:
        self.follow(peer)
        sent = send.send(
            self.thread,
            TextContent(text),
            own=self.made.own,
            session_version=self._version(self._session_label()) + 1,
            checkpoint=NOTHING_SEEN,
            now=clock(),
            random=system_random,
            bundle=self._bundle(peer) if send.needs_bundle(self.thread) else None,
        )
        self.state, segment = state.archive_step(sent.state)
        if segment is not None:
            self.unsaved = (*self.unsaved, segment)
        appends = tuple(
            WireAppend(self.thread.thread, draft.kind, draft.body, draft.expected)
            for draft in sent.drafts
        )
        self._transact(appends, self._session_puts())

    def follow(self, peer: Client) -> None:
        """Reads the thread to its head."""
        while True:
            start = self.thread.chain.size
            path = f"/api/threads/{self.thread.thread.hex()}/entries?start={start}&count=100"
            answer = self.api.get(path)
            if answer.status == 404 and start == 0:
                return
            page = answer.record(EntriesPage)
            reader = Reader(self.made.own, peer.made.own.view, clock(), refreshed=True)
            reading = receive(self.thread, self.prekeys, page.entries, reader)
            self.spent = self.spent or reading.prekeys != self.prekeys
            self.state, self.prekeys = reading.state, reading.prekeys
            self.unsaved = (*self.unsaved, *reading.segments)
            self.received += sum(isinstance(event, Received) for event in reading.events)
            if self.thread.chain.size >= page.head.size:
                return

    def save(self, *, seen: bool) -> None:
        """What is gathered after a turn; `seen`: all that was received is on the screen."""
        puts = list(self._session_puts())
        newest = self.thread.last_message.sequence
        if seen and newest > self.marked:
            mark = marks.ReadMark(newest, clock())
            blob = marks.seal_mark(self.thread, self.account, mark, system_random(32))
            path = marks.mark_path(self.thread.thread)
            puts.append(PutFile(path, self.versions.get(path, 0), blob, False))
            self.marked = newest
        self._transact((), tuple(puts))

    def _session_puts(self) -> tuple[PutFile, ...]:
        puts = [self._put(self._session_label(), state.save(self.thread))]
        for segment in self.unsaved:
            label = vault.label_archive(self.thread.thread, segment.number)
            puts.append(self._put(label, to_bytes(segment)))
        if self.spent:
            puts.append(self._put(vault.LABEL_PREKEYS, to_bytes(self.prekeys)))
        self.unsaved, self.spent = (), False
        return tuple(puts)

    def _session_label(self) -> str:
        return vault.label_session(self.thread.thread)

    def _version(self, label: str) -> int:
        return self.versions.get(vault.path_for(self.vault, label), 0)

    def _put(self, label: str, plaintext: bytes) -> PutFile:
        return sealed_put(self.vault, label, plaintext, self._version(label))

    def _bundle(self, peer: Client) -> identity.PeerBundle:
        answer = self.api.send("POST", f"/api/accounts/{peer.account.hex()}/bundle")
        data = to_bytes(answer.record(Bundle))
        server = self.api.server_id()
        return identity.open_bundle(data, server=server, account=peer.account)

    def _transact(self, appends: tuple[WireAppend, ...], puts: tuple[PutFile, ...]) -> None:
        began = time.perf_counter()
        answer = self.api.post_record("/api/transact", TransactRequest(appends, puts))
        self.waited.append((time.perf_counter() - began) * 1000)
        result = answer.record(TransactResult)
        self.versions.update(zip((put.path for put in puts), result.versions, strict=True))


def sealed_put(opened: vault.Vault, label: str, plaintext: bytes, expected: int) -> PutFile:
    blob = vault.seal_file(
        opened, label, version=expected + 1, plaintext=plaintext, salt=system_random(32)
    )
    return PutFile(vault.path_for(opened, label), expected, blob, False)


def register(base: str, name: str) -> Client:
    """A new account with the files of static/src/model/registration.ts."""
    api = Api(OverNetwork(base))
    begun = api.post_json("/api/registration/begin", {"name": name}).json
    account, server = from_base64url(begun["account"]), api.server_id()
    made = identity.new_account(
        server=server, account=account, name=name, batch=BATCH, now=clock(), random=system_random
    )
    opened = vault.new_vault(
        account,
        personal_key=system_random(32),
        recovery_key=system_random(32),
        random=system_random,
    )
    keys = accountkeys.seal_account_keys(opened.vault, made.secrets, system_random)
    settings = Settings(system_random(32), 0, bytes(32), True, "auto", "auto")
    files = {
        vault.LABEL_KEYS: to_bytes(keys),
        vault.LABEL_PREKEYS: to_bytes(made.prekeys),
        vault.LABEL_CONTACTS: to_bytes(Contacts(())),
        vault.LABEL_SETTINGS: to_bytes(settings),
    }
    puts = (
        PutFile(vault.WRAPS_PATH, 0, vault.save_wraps(opened.wraps), False),
        *(sealed_put(opened.vault, label, plain, 0) for label, plain in files.items()),
    )
    statement, keys_entry, prekey, batch = (body for _, body in made.entries)
    registration = Registration(
        ticket=from_base64url(begun["ticket"]),
        account_statement=statement,
        keys_entry=keys_entry,
        prekey_statement=prekey,
        batch_entry=batch,
        login_key=system_random(32),
        recovery_login_key=system_random(32),
        puts=puts,
    )
    answer = api.post_record("/api/registration", registration)
    api.csrf = answer.record(RegistrationResult).csrf
    versions = {put.path: 1 for put in puts}
    return Client(api, name, made, opened.vault, made.prekeys, versions)


@dataclass(frozen=True)
class Use:
    """Bytes in files, and bytes of the file-system blocks that they take."""

    bytes: int = 0
    blocks: int = 0
    files: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(self.bytes + other.bytes, self.blocks + other.blocks, self.files + other.files)

    def __sub__(self, other: Use) -> Use:
        return Use(self.bytes - other.bytes, self.blocks - other.blocks, self.files - other.files)


def part_of(path: Path) -> str:
    """Which part of the store a file belongs to (docs/spec/storage.md)."""
    first, *rest = path.parts
    if first == "general":
        owner = "thread" if rest[0] == "threads" else "account"
        return f"{owner} {'entries' if path.name.startswith('entries-') else 'hash files'}"
    if first == "local" and "chain" in rest:
        entries = path.name.startswith("entries-")
        return f"private chain {'entries' if entries else 'hash files'}"
    if first == "local":
        return "private folder index" if path.name.startswith("index.") else "private files"
    if first == "ledger" and rest[0] == "tile":
        return "log bundles" if rest[1] == "entries" else "log tiles"
    if first == "ledger" and rest[0].startswith("heads"):
        return "heads"
    return "journal" if first == "journal" else "other"


def measure(storage: Path) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for path in storage.rglob("*"):
        status = path.stat()
        if path.is_file():
            name, use = part_of(path.relative_to(storage)), Use(status.st_size, 0, 1)
        else:
            name, use = "folders", Use()
        use += Use(0, status.st_blocks * 512, 0)
        found[name] = found.get(name, Use()) + use
    return found


def run(folder: Path) -> dict[str, object]:
    """The figures of 1,000 messages in turns of ten."""
    storage = folder / "storage"
    with ServerProcess(storage) as server:
        alice, bob = register(server.base, "alice"), register(server.base, "bobby")
        server.stop()
        empty = measure(storage)
        server.start()
        began = time.monotonic()
        talk(alice, bob)
        seconds = time.monotonic() - began
        before_stop = measure(storage)
        server.stop()
        full = measure(storage)
    parts = {name: full[name] - empty.get(name, Use()) for name in sorted(full)}
    total = sum(parts.values(), Use())
    waited = sorted(alice.waited + bob.waited)
    running = sum(before_stop.values(), Use()) - sum(empty.values(), Use())
    return {
        "suite": SUITE,
        "messages": MESSAGES,
        "text_bytes": TEXT_BYTES,
        "turn": TURN,
        "goal_bytes_a_message": GOAL_BYTES,
        "bytes_a_message": total.bytes / MESSAGES,
        "block_bytes_a_message": total.blocks / MESSAGES,
        "bytes_a_message_before_the_stop": running.bytes / MESSAGES,
        "block_size": os.statvfs(folder).f_bsize,
        "seconds": seconds,
        "transactions": len(waited),
        "transaction_ms": {"p50": waited[len(waited) // 2], "p95": waited[len(waited) * 19 // 20]},
        "parts": {
            name: {
                "bytes_a_message": use.bytes / MESSAGES,
                "block_bytes_a_message": use.blocks / MESSAGES,
                "files": use.files,
            }
            for name, use in parts.items()
        },
    }


def talk(alice: Client, bob: Client) -> None:
    alice.begin(bob)
    bob.begin(alice)
    for turn in range(MESSAGES // TURN):
        speaker, reader = (alice, bob) if turn % 2 == 0 else (bob, alice)
        for number in range(TURN):
            text = f"turn {turn}, message {number}: ".ljust(TEXT_BYTES, "x")
            speaker.say(text, reader)
        for who, other in ((speaker, reader), (reader, speaker)):
            who.follow(other)
            who.save(seen=who is reader)
    for who in (alice, bob):
        if who.received != MESSAGES // 2:
            raise RuntimeError(f"{who.name} read {who.received} messages")
