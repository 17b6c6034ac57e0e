"""What people do, over HTTP: register, come back, talk, read, change the password, leave."""

from __future__ import annotations

from secure_msg.codec.accounts import BatchLeaf, Bundle, PrekeyHanded
from secure_msg.codec.fields import from_base64url, to_base64url
from secure_msg.codec.http import (
    AccountChain,
    CredentialChange,
    EntriesPage,
    Marks,
    PrivateBlob,
    PrivateList,
    PutFile,
    ThreadList,
    TransactResult,
)
from secure_msg.codec.proofs import Receipt
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.ledger.accountchain import (
    AccountView,
    apply_batch_statement,
    apply_entry,
    open_account,
    open_batch,
)
from secure_msg.ledger.chain import read_header
from secure_msg.ledger.merkle import leaf_hash, verify_inclusion
from secure_msg.ledger.receipt import verify_head, verify_receipt
from secure_msg.messages.marks import mark_path
from tests.support.api import Api
from tests.support.people import Person, path_of, put


def server_keys(api: Api) -> tuple[bytes, str]:
    said = api.get("/api/server").json
    return from_base64url(said["public"]), said["origin"]


def test_a_registration_is_whole_and_proved(browser):
    api, person = browser(), Person("Alice.Whole")
    result = api.register(person, (put("keys"), put("prekeys")))
    assert result.account == person.account
    assert [read_header(entry.header).kind for entry in result.committed.entries] == [
        "account",
        "keys",
        "prekey",
        "prekey-batch",
        "credential",
    ]
    assert result.committed.versions == (1, 1)
    public, origin = server_keys(api)
    shown = verify_receipt(result.committed.receipt, public, origin)
    assert shown.header.chain == person.account
    session = api.session()
    assert session["signed_in"]
    assert session["name"] == "Alice.Whole"


def test_the_served_chain_verifies_against_its_head(browser, join):
    api, person = join("chain-owner")
    served = api.get(f"/api/accounts/{person.account.hex()}").record(AccountChain)
    public, origin = server_keys(api)
    head = verify_head(served.head, public, origin).head
    assert head.size == len(served.entries) == 5
    view: AccountView | None = None
    for entry in served.entries:
        kind = read_header(entry.header).kind
        if view is None:
            view = open_account(entry.body, server=api.server_id(), account=person.account)
        elif kind == "prekey-batch":
            assert entry.body is None
        else:
            view = apply_entry(view, kind, entry.body)
    assert view.name == "chain-owner"
    assert view.root == person.root.public


def test_signing_out_and_in_again(join, browser):
    api, person = join("come-back")
    assert api.sign_out().status == 204
    assert api.get("/api/threads").kind == "not-signed-in"
    other = browser()
    begun = other.post_json("/api/sign-in/begin", {"name": "COME-BACK"}).json
    assert begun["kdf"] == {"memory_kib": 65536, "passes": 3, "lanes": 1}
    answer = other.sign_in(person)
    assert answer.status == 200
    assert from_base64url(answer.json["account"]) == person.account
    assert len(other.get("/api/sessions").json["sessions"]) == 1


def test_a_conversation(join):
    alice_api, alice = join("alice")
    bob_api, bob = join("robert")
    thread, session = alice_api.begin_conversation(alice, bob)
    assert bob_api.open(alice) == thread
    listed = bob_api.get("/api/threads").record(ThreadList).threads
    assert [(item.thread, item.peer, item.peer_name, item.size) for item in listed] == [
        (thread, alice.account, "alice", 4)
    ]
    answer = bob_api.transact((bob.message(thread, session, seen=4),), (put("session"),))
    result = answer.record(TransactResult)
    assert read_header(result.entries[0].header).sequence == 4
    page = alice_api.get(f"/api/threads/{thread.hex()}/entries?start=0&count=100")
    entries = page.record(EntriesPage)
    kinds = [read_header(entry.header).kind for entry in entries.entries]
    assert kinds == ["opened", "handshake", "opening", "message", "message"]
    public, origin = server_keys(alice_api)
    assert verify_head(entries.head, public, origin).head.size == 5
    receipt = alice_api.get(f"/api/receipts/{thread.hex()}/4").record(Receipt)
    assert verify_receipt(receipt, public, origin).header.sequence == 4


def test_a_bundle_hands_out_each_key_once(join):
    api, _ = join("asker")
    _, person = join("asked")
    served = api.get(f"/api/accounts/{person.account.hex()}").record(AccountChain)
    view = open_account(served.entries[0].body, server=api.server_id(), account=person.account)
    given = set()
    for count in range(6):
        bundle = api.send("POST", f"/api/accounts/{person.account.hex()}/bundle").record(Bundle)
        if count >= 4:
            assert bundle.one_time is None
            continue
        one = bundle.one_time
        batch = open_batch(view, one.batch)
        leaf = leaf_hash(leaf_of(batch.batch, one.index, one.key))
        verify_inclusion(leaf, one.index, batch.count, one.path, batch.root)
        given.add(one.key)
    assert len(given) == 4
    chain = api.get(f"/api/accounts/{person.account.hex()}").record(AccountChain)
    handed = [
        from_bytes(PrekeyHanded, entry.body).index
        for entry in chain.entries
        if read_header(entry.header).kind == "prekey-handed"
    ]
    assert handed == [0, 1, 2, 3]
    assert apply_batch_statement(view, one.batch).batches


def leaf_of(batch: int, index: int, key: bytes) -> bytes:
    return to_bytes(BatchLeaf(batch, index, key))


def test_own_statements_follow_each_other(join):
    api, person = join("renewer")
    result = api.transact((person.own("prekey", 2), person.own("prekey-batch", 2)))
    assert len(result.record(TransactResult).entries) == 2
    assert api.transact((person.own("prekey", 2),)).kind == "statement-refused"
    bundle = api.send("POST", f"/api/accounts/{person.account.hex()}/bundle").record(Bundle)
    assert bundle.one_time is not None
    assert api.transact((person.own("prekey", 3, expected=5),)).kind == "conflict"


def test_private_files_are_compared_and_swapped(join):
    api, _ = join("keeper")
    first, second = put("file"), put("file", 1, 2048)
    assert api.transact((), (first,)).record(TransactResult).versions == (1,)
    assert api.transact((), (second,)).record(TransactResult).versions == (2,)
    stale = api.transact((), (put("file", 1),))
    assert (stale.status, stale.kind, stale.json["detail"]) == (409, "conflict", "version")
    blob = api.get(f"/api/private/{path_of('file').hex()}").record(PrivateBlob)
    assert (blob.version, blob.blob) == (2, second.blob)
    listed = api.get("/api/private").record(PrivateList).files
    assert [(item.version, item.size) for item in listed] == [(2, 2048)]
    gone = PutFile(path_of("file"), 2, b"", True)
    api.transact((), (gone,)).record(TransactResult)
    assert api.get(f"/api/private/{path_of('file').hex()}").kind == "not-found"


def test_read_marks_are_for_the_thread_s_members(join):
    alice_api, alice = join("marker")
    bob_api, bob = join("marked")
    eve_api, _ = join("onlooker")
    thread, _ = alice_api.begin_conversation(alice, bob)
    mark = PutFile(mark_path(thread), 0, b"m" * 96, False)
    alice_api.transact((), (mark,)).record(TransactResult)
    marks = bob_api.get(f"/api/threads/{thread.hex()}/marks").record(Marks).marks
    assert [(one.account, one.blob) for one in marks] == [(alice.account, b"m" * 96)]
    assert eve_api.get(f"/api/threads/{thread.hex()}/marks").kind == "not-found"
    large = PutFile(mark_path(thread), 1, b"m" * 5000, False)
    assert alice_api.transact((), (large,)).kind == "malformed"


def test_what_is_too_large_for_a_mark_hides_nobody_else_s(join):
    alice_api, alice = join("mark-first")
    bob_api, bob = join("mark-second")
    thread = alice_api.open(bob)
    early = PutFile(mark_path(thread), 0, b"m" * 5_000, False)
    alice_api.transact((), (early,)).record(TransactResult)
    alice_api.begin_conversation(alice, bob)
    mark = PutFile(mark_path(thread), 0, b"m" * 96, False)
    bob_api.transact((), (mark,)).record(TransactResult)
    marks = bob_api.get(f"/api/threads/{thread.hex()}/marks").record(Marks).marks
    assert [one.account for one in marks] == [bob.account]
    later = PutFile(mark_path(thread), 1, b"m" * 5_000, False)
    change = change_of(alice, alice.login_key, (later,))
    assert alice_api.post_record("/api/credential", change).kind == "malformed"


def change_of(person: Person, proof: bytes, puts: tuple[PutFile, ...] = ()) -> CredentialChange:
    return CredentialChange(proof, b"r" * 32, person.login_key, person.recovery_login_key, puts)


def test_a_new_password_ends_the_other_sessions(join, browser):
    api, person = join("changer")
    other = browser()
    other.sign_in(person)
    old = person.login_key
    person.login_key = b"n" * 32
    wrong = api.post_record("/api/credential", change_of(person, b"w" * 32))
    assert (wrong.status, wrong.kind) == (401, "sign-in-failed")
    done = api.post_record("/api/credential", change_of(person, old, (put("keys"),)))
    assert done.record(TransactResult).versions == (1,)
    assert other.get("/api/threads").kind == "not-signed-in"
    assert api.get("/api/threads").status == 200
    again = browser()
    said = again.post_json("/api/sign-in", {"name": "changer", "login_key": to_base64url(old)})
    assert said.kind == "sign-in-failed"
    assert again.sign_in(person).status == 200
    begun = again.post_json("/api/sign-in/begin", {"name": "changer"}).json
    assert from_base64url(begun["stored_random"]) == b"r" * 32


def test_recovery_may_do_nothing_but_set_a_password(join, browser):
    api, person = join("loser")
    other = browser()
    begun = other.post_json("/api/recovery/begin", {"name": "loser"}).json
    assert from_base64url(begun["account"]) == person.account
    assert other.recover(person).status == 200
    assert other.get("/api/threads").kind == "refused"
    assert other.get("/api/private").status == 200
    person.login_key = b"2" * 32
    done = other.post_record("/api/credential", change_of(person, bytes(32)))
    assert done.status == 200
    assert other.get("/api/threads").status == 200
    assert api.get("/api/threads").kind == "not-signed-in"


def test_the_directory_finds_by_what_names_look_like(join):
    api, person = join("Dmitri")
    found = api.get("/api/directory?q=DM").json["people"]
    assert {"account": to_base64url(person.account), "name": "Dmitri"} in found
    assert api.get("/api/directory?q=d").json == {"people": []}
    assert api.get("/api/directory").json == {"people": []}


def test_sessions_are_listed_and_ended(join, browser):
    api, person = join("two-places")
    other = browser()
    other.sign_in(person)
    listed = api.get("/api/sessions").json["sessions"]
    assert [one["current"] for one in listed].count(True) == 1
    theirs = next(one["id"] for one in listed if not one["current"])
    assert api.send("DELETE", f"/api/sessions/{theirs}").status == 204
    assert other.get("/api/threads").kind == "not-signed-in"
    assert api.send("DELETE", f"/api/sessions/{theirs}").kind == "not-found"
    other.sign_in(person)
    assert api.send("DELETE", "/api/sessions/all").status == 204
    assert other.get("/api/threads").kind == "not-signed-in"
    assert api.get("/api/threads").status == 200


def test_registering_leaves_the_session_before(join, browser):
    api, _ = join("first-of-two")
    before = api.transport.cookie()
    api.register(Person("second-of-two"))
    left = browser()
    left.transport.set_cookie(before)
    assert not left.session()["signed_in"]


def test_signing_in_again_leaves_the_session_before(join):
    api, person = join("again-and-again")
    for _ in range(3):
        assert api.sign_in(person).status == 200
    assert len(api.get("/api/sessions").json["sessions"]) == 1
