"""What every store must do: a back end's tests subclass `StoreContract` and give a `House`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from secure_msg.ledger import merkle
from secure_msg.ledger.chain import ChainState, Head, check_content, read_header, verify_page
from secure_msg.ledger.checkpoint import verify_checkpoint
from secure_msg.ledger.log import GenesisLeaf, LogLeaf, read_mapped, server_identity
from secure_msg.ledger.map import name_label, name_value, verify_included
from secure_msg.ledger.receipt import verify_head, verify_receipt
from secure_msg.ledger.tiles import bundle_entries, tile_hashes, tiles_of_growth
from secure_msg.ledger.transaction import (
    Append,
    Conflict,
    NameClaim,
    Put,
    Register,
    Stale,
    Store,
    Transaction,
)
from secure_msg.store.serverkeys import ServerIdentity
from secure_msg.store.state import private_chain

START = 1_800_000_000_000


@dataclass
class Clock:
    now: int = START

    def __call__(self) -> int:
        return self.now


class House(Protocol):
    """One storage place; `open` gives a store on it, after closing the one before."""

    clock: Clock
    identity: ServerIdentity

    def open(self) -> Store: ...


def ident(name: str) -> bytes:
    """A 32-byte id for tests."""
    return merkle.leaf_hash(name.encode())


ALICE, BOB, THREAD = ident("alice"), ident("bob"), ident("thread")
PATH, OTHER = ident("path"), ident("other path")


def account(owner: bytes, name: str) -> Transaction:
    return Transaction(
        appends=(Append(owner, "account", b"statement", expected_size=0, label=name.encode()),),
        names=(NameClaim(name, owner),),
    )


def opened(thread: bytes = THREAD) -> Transaction:
    return Transaction(appends=(Append(thread, "opened", b"members", label=b"two"),))


def message(body: bytes, *, unique: bytes | None = None, seen: int = 0) -> Append:
    return Append(THREAD, "message", body, erasable=True, unique=unique, seen=seen)


@dataclass
class Outcome:
    """What each of several threads got."""

    done: list[object] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)


def at_once(calls: list[Callable[[], object]]) -> Outcome:
    """Run all calls in threads of their own, begun together."""
    outcome, gate = Outcome(), threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        gate.wait()
        try:
            outcome.done.append(call())
        except Conflict as conflict:
            outcome.failed.append(conflict)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def now_and_after_restart(store: Store, house: House) -> Iterator[Store]:
    yield store
    yield house.open()


def audit(store: Store, identity: ServerIdentity) -> None:
    """Everything that a client or an auditor can check of a store, from the outside."""
    checkpoint = verify_checkpoint(store.checkpoint(), identity.origin, identity.public)
    leaves, hashes = [], []
    for tile in tiles_of_growth(0, checkpoint.size):
        data = store.ledger_file(tile.path)
        assert data is not None, tile.path
        if tile.level is None:
            leaves += bundle_entries(data, tile.width)
        elif tile.level == 0:
            hashes += tile_hashes(data, tile.width)
    assert hashes == [merkle.leaf_hash(leaf) for leaf in leaves]
    assert merkle.root_of(hashes) == checkpoint.root
    assert GenesisLeaf.from_bytes(leaves[0]).server == server_identity(identity.public)
    times = [read_mapped(leaf).time for leaf in leaves[1:]]
    assert times == sorted(times)
    chains = [*store.chains("account"), *store.chains("thread")]
    private = [private_chain(one) for one, _ in store.chains("account")]
    for chain in [one for one, _ in chains] + private:
        audit_chain(store, identity, chain)
    for owner, _ in store.chains("account"):
        for name in store.private_names(owner):
            found = store.private(owner, name.path)
            assert found is not None
            assert (found.version, len(found.blob)) == (name.version, name.size)


def audit_chain(store: Store, identity: ServerIdentity, chain: bytes) -> None:
    head = store.head(chain)
    proved = verify_head(store.head_proof(chain), identity.public, identity.origin)
    assert proved.head == Head(head.size, head.root)
    entries = store.entries(chain, 0, head.size + 10)
    assert len(entries) == head.size
    headers = [read_header(entry.header) for entry in entries]
    verify_page(ChainState.start(chain), headers, proved.head)
    for header, entry in zip(headers, entries, strict=True):
        if entry.body is not None:
            check_content(header, entry.salt, entry.body)
    for sequence in {0, head.size // 2, head.size - 1} if head.size else ():
        receipt = verify_receipt(store.receipt(chain, sequence), identity.public, identity.origin)
        assert receipt.header == headers[sequence]


class StoreContract:
    @pytest.fixture
    def house(self) -> House:
        raise NotImplementedError

    def test_nothing_is_there_at_first(self, house: House) -> None:
        store = house.open()
        head = store.head(THREAD)
        assert (head.size, head.root, head.register) == (0, merkle.EMPTY_ROOT, b"")
        assert store.entries(THREAD, 0, 10) == ()
        assert store.private(ALICE, PATH) is None
        assert store.private_names(ALICE) == ()
        assert store.name_owner("alice") is None
        assert list(store.chains("account")) == []
        proof = verify_head(store.head_proof(THREAD), house.identity.public, house.identity.origin)
        assert proof.head.size == 0
        audit(store, house.identity)

    def test_a_transaction_stands_as_a_whole_also_after_a_restart(self, house: House) -> None:
        store = house.open()
        store.commit(account(ALICE, "alice"))
        done = store.commit(
            Transaction(
                appends=(Append(THREAD, "opened", b"o", label=b"ab"), message(b"hello")),
                puts=(Put(ALICE, PATH, 0, b"blob"), Put(ALICE, OTHER, 0, b"other")),
                registers=(Register(THREAD, b"", ident("session")),),
            )
        )
        assert [one.sequence for one in done.placed] == [0, 1]
        assert (done.versions, done.repeat) == ((1, 1), False)
        for current in now_and_after_restart(store, house):
            assert [one.body for one in current.entries(THREAD, 0, 9)] == [b"o", b"hello"]
            assert current.entries(THREAD, 1, 1)[0].header == done.placed[1].header
            assert current.head(THREAD).register == ident("session")
            assert current.name_owner("alice") == ALICE
            assert list(current.chains("account")) == [(ALICE, b"alice")]
            assert list(current.chains("thread")) == [(THREAD, b"ab")]
            found = current.private(ALICE, PATH)
            assert found is not None
            assert (found.version, found.blob) == (1, b"blob")
            assert {one.path for one in current.private_names(ALICE)} == {PATH, OTHER}
            audit(current, house.identity)

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (Transaction(appends=(Append(THREAD, "message", b"x", expected_size=5),)), "size"),
            (Transaction(registers=(Register(THREAD, ident("wrong")),)), "register"),
            (Transaction(puts=(Put(ALICE, PATH, 3, b"x"),)), "version"),
            (Transaction(puts=(Put(ALICE, OTHER, 0, None),)), "version"),
            (Transaction(names=(NameClaim("alice", BOB),)), "name"),
        ],
    )
    def test_a_conflict_names_what_moved_and_writes_nothing(
        self, house: House, change: Transaction, what: str
    ) -> None:
        store = house.open()
        store.commit(account(ALICE, "alice"))
        store.commit(opened())
        before = (store.head(THREAD), store.head(ALICE), store.checkpoint())
        whole = Transaction(
            (message(b"kept out"), *change.appends),
            (Put(ALICE, ident("new"), 0, b"kept out"), *change.puts),
            change.registers,
            (NameClaim("free", ALICE), *change.names),
        )
        with pytest.raises(Conflict) as refused:
            store.commit(whole)
        assert refused.value.what == what
        assert (store.head(THREAD), store.head(ALICE), store.checkpoint()) == before
        assert store.private(ALICE, ident("new")) is None
        assert store.name_owner("free") is None

    def test_a_repeat_gets_its_place_and_writes_nothing(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        unique = ident("message")[:16]
        first = store.commit(Transaction((message(b"one", unique=unique, seen=1),)))
        store.commit(Transaction((message(b"two", unique=ident("2")[:16], seen=1),)))
        for current in now_and_after_restart(store, house):
            log = current.checkpoint()
            again = current.commit(
                Transaction(
                    (message(b"other body", unique=unique, seen=1),),
                    (Put(ALICE, PATH, 0, b"candidate state"),),
                )
            )
            assert again.repeat
            assert (again.placed, again.log_index) == (first.placed, first.log_index)
            assert again.versions == ()
            assert current.checkpoint() == log
            assert current.private(ALICE, PATH) is None

    def test_a_unique_id_counts_from_seen_on_only(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        unique = ident("message")[:16]
        store.commit(Transaction((message(b"one", unique=unique, seen=1),)))
        again = store.commit(Transaction((message(b"two", unique=unique, seen=2),)))
        assert not again.repeat

    def test_what_was_seen_too_long_ago_is_stale(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        store.commit(Transaction(tuple(message(b"x") for _ in range(300))))
        for seen in (1, 44):
            with pytest.raises(Stale):
                store.commit(Transaction((message(b"y", unique=ident("u")[:16], seen=seen),)))
        store.commit(Transaction((message(b"y", unique=ident("u")[:16], seen=45),)))

    def test_a_private_file_goes_from_version_to_version(self, house: House) -> None:
        store = house.open()
        for version in range(3):
            done = store.commit(Transaction(puts=(Put(ALICE, PATH, version, b"v%d" % version),)))
            assert done.versions == (version + 1,)
        with pytest.raises(Conflict):
            store.commit(Transaction(puts=(Put(ALICE, PATH, 2, b"old"),)))
        store = house.open()
        found = store.private(ALICE, PATH)
        assert found is not None
        assert (found.version, found.blob) == (3, b"v2")
        store.commit(Transaction(puts=(Put(ALICE, PATH, 3, None),)))
        assert store.private(ALICE, PATH) is None
        store = house.open()
        assert store.private(ALICE, PATH) is None
        assert store.private_names(ALICE) == ()
        assert store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"new"),))).versions == (1,)
        found = house.open().private(ALICE, PATH)
        assert found is not None
        assert found.blob == b"new"

    def test_one_of_many_compare_and_sets_wins(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        puts = at_once(
            [
                lambda n=n: store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"%d" % n),)))
                for n in range(16)
            ]
        )
        assert (len(puts.done), len(puts.failed)) == (1, 15)
        registers = at_once(
            [
                lambda n=n: store.commit(
                    Transaction(
                        (message(b"%d" % n),),
                        registers=(Register(THREAD, b"", ident(str(n))),),
                    )
                )
                for n in range(16)
            ]
        )
        assert (len(registers.done), len(registers.failed)) == (1, 15)
        assert store.head(THREAD).size == 2
        names = at_once(
            [
                lambda n=n: store.commit(Transaction(names=(NameClaim("name", ident(str(n))),)))
                for n in range(16)
            ]
        )
        assert (len(names.done), len(names.failed)) == (1, 15)
        audit(store, house.identity)

    def test_of_equal_messages_sent_at_once_one_is_written(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        unique = ident("message")[:16]
        same = at_once(
            [
                lambda: store.commit(Transaction((message(b"m", unique=unique, seen=1),)))
                for _ in range(16)
            ]
        )
        assert sum(not one.repeat for one in same.done) == 1  # type: ignore[attr-defined]
        assert {one.placed for one in same.done} == {same.done[0].placed}  # type: ignore[attr-defined]
        assert store.head(THREAD).size == 2

    def test_time_never_goes_back(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        house.clock.now -= 100_000
        placed = store.commit(Transaction((message(b"late"),))).placed
        assert placed[0].time >= START
        house.clock.now += 1
        store = house.open()
        placed = store.commit(Transaction((message(b"later"),))).placed
        assert placed[0].time >= START
        audit(store, house.identity)

    def test_an_erased_body_is_gone_and_the_proofs_hold(self, house: House) -> None:
        store = house.open()
        store.commit(opened())
        store.commit(Transaction(tuple(message(b"body %d" % n) for n in range(5))))
        before = store.head(THREAD)
        store.erase(THREAD, 3)
        for current in now_and_after_restart(store, house):
            found = current.entries(THREAD, 0, 10)
            assert [one.body for one in found[2:5]] == [b"body 1", None, b"body 3"]
            assert found[3].salt == b""
            assert current.head(THREAD) == before
            audit(current, house.identity)
        with pytest.raises(ValueError, match="not erasable"):
            current.erase(THREAD, 0)
        current.erase(THREAD, 3)
        current.commit(Transaction((message(b"after"),)))
        assert house.open().entries(THREAD, 6, 1)[0].body == b"after"

    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
    def test_a_page_in_the_middle_follows_from_its_frontier(self, house: House, size: int) -> None:
        store = house.open()
        store.commit(Transaction((Append(THREAD, "opened", b"o"),)))
        while store.head(THREAD).size < size:
            missing = size - store.head(THREAD).size
            store.commit(Transaction(tuple(message(b"m") for _ in range(min(missing, 100)))))
        for current in now_and_after_restart(store, house):
            head = current.head(THREAD)
            for start in {0, 1, size // 2, size - 1, size}:
                frontier = current.frontier(THREAD, start)
                headers = [read_header(one.header) for one in current.entries(THREAD, start, 1000)]
                assert len(headers) == size - start
                state = ChainState(THREAD, frontier)
                verify_page(state, headers, Head(head.size, head.root))

    @pytest.mark.parametrize("kept", [1, 37, 256, 300])
    def test_every_entry_has_its_receipt_and_its_frontier(self, house: House, kept: int) -> None:
        """Of entries in the files, of those that are not, and of several of one commit."""
        store = house.open()
        store.commit(opened())
        if kept > 1:
            store.commit(Transaction(tuple(message(b"kept %d" % n) for n in range(kept - 1))))
        store = house.open()
        for count in (1, 2, 5, 1, 30, 1):
            store.commit(Transaction(tuple(message(b"new %d" % n) for n in range(count))))
        for current in now_and_after_restart(store, house):
            size = current.head(THREAD).size
            assert size == kept + 40
            expected = merkle.EMPTY
            for sequence, entry in enumerate(current.entries(THREAD, 0, size)):
                assert current.frontier(THREAD, sequence) == expected
                receipt = current.receipt(THREAD, sequence)
                verify_receipt(receipt, house.identity.public, house.identity.origin)
                assert receipt.header == entry.header
                expected = expected.append(merkle.leaf_hash(entry.header))
            assert current.frontier(THREAD, size) == expected

    def test_a_name_is_in_the_map_under_the_salt_of_the_genesis_leaf(self, house: House) -> None:
        store = house.open()
        store.commit(account(ALICE, "alice"))
        salt = house.identity.name_salt
        head = store.head_proof(ALICE)
        verify_included(
            LogLeaf.from_bytes(head.log_leaf).map_root,
            name_label(salt, "alice"),
            name_value(ALICE),
            store.name_proof("alice"),
        )

    @pytest.mark.parametrize(
        "change",
        [
            Transaction((Append(b"short", "opened", b""),)),
            Transaction((Append(THREAD, "", b""),)),
            Transaction((Append(THREAD, "opened", b"", unique=b"short"),)),
            Transaction((Append(THREAD, "opened", b"", unique=bytes(16)),)),
            Transaction((Append(THREAD, "opened", b"", label=bytes(129)),)),
            Transaction((Append(ident("fresh"), "message", b""),)),
            Transaction(puts=(Put(ALICE, b"short", 0, b""),)),
            Transaction(puts=(Put(ALICE, PATH, 0, bytes(2**20 + 1)),)),
            Transaction(registers=(Register(ident("fresh"), b"", ident("new")),)),
            Transaction(registers=(Register(THREAD, b"", b"short"),)),
            Transaction(names=(NameClaim("", ALICE),)),
            Transaction(names=(NameClaim("\ud800", ALICE),)),
        ],
    )
    def test_misuse_is_refused_and_stops_nothing(self, house: House, change: Transaction) -> None:
        store = house.open()
        with pytest.raises(ValueError):  # noqa: PT011
            store.commit(change)
        store.commit(opened())
        audit(store, house.identity)

    def test_an_append_to_a_private_folders_chain_is_refused(self, house: House) -> None:
        store = house.open()
        store.commit(Transaction(puts=(Put(ALICE, PATH, 0, b"x"),)))
        with pytest.raises(ValueError, match="puts only"):
            store.commit(Transaction((Append(private_chain(ALICE), "put", b"forged"),)))

    @pytest.mark.parametrize(
        "path", ["", "checkpoint/", "tile/0/001", "tile/9/000.p/1", "../heads"]
    )
    def test_what_the_log_has_not_is_none(self, house: House, path: str) -> None:
        assert house.open().ledger_file(path) is None
