"""Writes tests/vectors/project/e2ee_python.json: seeded scenarios of the end-to-end protocol.

Run from the repository's root: `python -m tests.tools.generate_e2ee_vectors`. The operations are
those of tests/e2ee/operations.py; TypeScript checks them, and writes e2ee_typescript.json in this
shape.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from secure_msg.codec.messages import opening_id
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.hash import sha256
from secure_msg.e2ee import state
from secure_msg.e2ee.state import Session
from tests.e2ee.operations import person, run
from tests.e2ee.world import NOW, Chain

PATH = Path(__file__).parent.parent / "vectors" / "project" / "e2ee_python.json"

Json = dict[str, Any]
AEADS = ("AES-256-GCM", "ChaCha20-Poly1305", "AES-XChaCha")


def label(text: str) -> str:
    return sha256(text.encode()).hex()


SERVER = label("server")
THREAD = label("thread")
ALICE = {"seed": label("alice"), "account": label("account/alice"), "name": "alice", "batch": 3}
BOB = {"seed": label("bob"), "account": label("account/bob"), "name": "Bob Ümläut", "batch": 5}
COMMON: Json = {"server": SERVER, "created": NOW}
ALICE_OWN: Json = {**COMMON, "own": ALICE, "peer": BOB}
BOB_OWN: Json = {**COMMON, "own": BOB, "peer": ALICE}
NO_CHECKPOINT = {"size": 0, "root": "00" * 32}


class Scenarios:
    """Collects scenarios; `expected` is what Python gives."""

    def __init__(self) -> None:
        self.all: list[Json] = []

    def add(self, name: str, operation: str, reason: str, inputs: Json) -> Json:
        expected = run(operation, inputs)
        self.all.append(
            {
                "name": name,
                "operation": operation,
                "reason": reason,
                "inputs": inputs,
                "expected": expected,
            }
        )
        return expected

    def refused(self, name: str, operation: str, reason: str, inputs: Json) -> None:
        if "error" not in self.add(name, operation, reason, inputs):
            raise ValueError(f"{name} should be refused")


def flipped(text: str, at: int) -> str:
    """The hex with one bit of byte `at` turned."""
    data = bytearray.fromhex(text)
    data[at] ^= 1
    return data.hex()


def unlocking(out: Scenarios) -> None:
    base: Json = {
        "password": "correct horse battery staple",
        "server": SERVER,
        "skeleton": "alice",
        "stored_random": label("stored random"),
        "memory_kib": 65_536,
        "passes": 3,
        "lanes": 1,
        "second_secret": None,
    }
    out.add("unlock/password", "unlock", "login and personal key", base)
    composed = {**base, "password": "pa\u0308sswo\u0308rd \ufb01", "skeleton": "al\u00efce"}
    out.add("unlock/nfkc", "unlock", "NFKC before Argon2id", composed)
    second = {**base, "second_secret": label("second")[:32]}
    out.add("unlock/second-secret", "unlock", "the second secret is mixed in", second)
    for name, wrong in (("memory", {"memory_kib": 65_535}), ("passes", {"passes": 2})):
        out.refused(f"unlock/low-{name}", "unlock", "below the client's floor", {**base, **wrong})
    out.refused("unlock/huge", "unlock", "above 1 GiB", {**base, "memory_kib": 1_048_577})
    code = {"code": label("recovery")[:40], "account": ALICE["account"]}
    written = out.add("recovery/code", "recovery_code", "Crockford's base32 and its keys", code)
    typed = " " + written["text"].lower().replace("0", "o").replace("1", "l").replace("-", " ")
    out.add("recovery/typed", "read_recovery_code", "as a person types it", {"text": typed})
    out.refused("recovery/short", "read_recovery_code", "too short", {"text": written["text"][:-1]})
    out.refused(
        "recovery/letter",
        "read_recovery_code",
        "U is not in the alphabet",
        {"text": "U" + written["text"][1:]},
    )


def vaults(out: Scenarios) -> None:
    base: Json = {
        "seed": label("vault"),
        "account": ALICE["account"],
        "personal_key": label("personal"),
        "recovery_key": label("recovery key"),
        "epochs": 3,
    }
    labels = ["keys", "prekeys", f"session/{THREAD}", f"archive/{THREAD}/0"]
    made = out.add("vault/epochs", "vault", "wraps of three epochs", {**base, "labels": labels})
    bare = {**base, "recovery_key": None, "epochs": 1, "labels": labels}
    out.add("vault/no-recovery", "vault", "without a recovery wrap", bare)
    opening = {
        "account": ALICE["account"],
        "wraps": made["wraps"][-1],
        "which": "password",
        "key": base["personal_key"],
        "label": "keys",
    }
    out.add("vault/open-by-password", "open_wraps", "opens", opening)
    by_code = {**opening, "which": "recovery", "key": base["recovery_key"]}
    out.add("vault/open-by-recovery", "open_wraps", "opens", by_code)
    out.refused("vault/wrong-key", "open_wraps", "another password", {**opening, "key": SERVER})
    out.refused("vault/swapped-wrap", "open_wraps", "a wrap is of its kind",
                {**opening, "which": "recovery"})  # fmt: skip
    for name, size in (("empty", 0), ("fills-1024", 967), ("grows", 968), ("large", 40_000)):
        file = {**base, "label": "settings", "version": 7, "plaintext": "a5" * size}
        sealed = out.add(
            f"vault/file-{name}", "seal_file", "sizes are powers of two",
            {**file, "salt": label("salt")},
        )  # fmt: skip
        opened = {**base, "label": "settings", "version": 7, "blob": sealed["blob"]}
        out.add(f"vault/file-{name}-open", "open_file", "opens", opened)
    for name, wrong in (
        ("version", {"version": 8}),
        ("label", {"label": "contacts"}),
        ("epoch", {"epochs": 2}),
        ("bit", {"blob": flipped(sealed["blob"], 5_000)}),
        ("cut", {"blob": sealed["blob"][:-2]}),
    ):
        out.refused(f"vault/file-other-{name}", "open_file", f"another {name}", {**opened, **wrong})
    old = {**base, "epochs": 1, "version": 1, "plaintext": "aa", "salt": label("old")}
    archive = {**old, "label": f"archive/{THREAD}/0"}
    sealed = run("seal_file", archive)
    still = {**base, "label": archive["label"], "version": 1, "blob": sealed["blob"]}
    out.add("vault/old-archive", "open_file", "readable through `previous`", still)
    sealed = run("seal_file", {**old, "label": "keys"})
    out.refused(
        "vault/old-keys", "open_file", "the keys file is rewritten in each epoch",
        {**base, "label": "keys", "version": 1, "blob": sealed["blob"]},
    )  # fmt: skip
    keys = {**COMMON, **base, "person": ALICE, "account": ALICE["account"]}
    blobs = out.add("vault/key-blobs", "seal_account_keys", "nonces in order",
                    {**keys, "nonces": label("nonces")})  # fmt: skip
    out.add("vault/key-blobs-open", "open_account_keys", "opens", {**keys, **blobs})
    out.refused("vault/key-blobs-bit", "open_account_keys", "an altered nonce",
                {**keys, "keys": flipped(blobs["keys"], 10)})  # fmt: skip


def identities(out: Scenarios) -> tuple[Json, Json]:
    alice = out.add("identity/alice", "identity", "chain", {**COMMON, "person": ALICE})
    bob = out.add("identity/bob", "identity", "chain", {**COMMON, "person": BOB})
    numbers = {"mine": alice["fingerprint"], "theirs": bob["fingerprint"]}
    out.add("identity/safety-number", "safety_number", "the same for both", numbers)
    turned = {"mine": bob["fingerprint"], "theirs": alice["fingerprint"]}
    out.add("identity/safety-number-turned", "safety_number", "the same for both", turned)
    who = person(BOB_OWN, "own")
    full, bare = who.bundle((1, 4)).hex(), who.bundle(None).hex()
    base = {"server": SERVER, "account": BOB["account"], "pinned": bob["fingerprint"]}
    out.add("bundle/one-time", "open_bundle", "all verified", {**base, "bundle": full})
    out.add("bundle/last-resort", "open_bundle", "without one-time", {**base, "bundle": bare})
    for name, wrong in (
        ("root", {"pinned": alice["fingerprint"]}),
        ("account", {"account": ALICE["account"]}),
        ("server", {"server": THREAD}),
        ("path", {"bundle": flipped(full, len(full) // 2 - 1)}),
        ("cut", {"bundle": full[:-2]}),
    ):
        out.refused(
            f"bundle/other-{name}", "open_bundle", f"another {name}",
            {**base, "bundle": full, **wrong},
        )  # fmt: skip
    return alice, bob


def handshakes(out: Scenarios, bob: Json) -> tuple[Json, Json]:
    who = person(BOB_OWN, "own")
    begin = {**ALICE_OWN, "thread": THREAD, "replaces": "", "now": NOW + 5}
    sessions = {}
    for name, one_time in (("one-time", (1, 2)), ("last-resort", None)):
        begun = out.add(
            f"handshake/{name}/initiate", "initiate", "body and session",
            {**begin, "bundle": who.bundle(one_time).hex(), "seed": label(f"handshake/{name}")},
        )  # fmt: skip
        answer = {**BOB_OWN, "thread": THREAD, "body": begun["body"], "prekeys": bob["prekeys"]}
        answered = out.add(f"handshake/{name}/respond", "respond", "the same secrets", answer)
        sessions[name] = (begun, answered, answer)
    begun, answered, answer = sessions["one-time"]
    spent = out.add("handshake/spend", "spend", "the one-time key is gone",
                    {"prekeys": bob["prekeys"], "batch": 1, "index": 2})  # fmt: skip
    if spent["prekeys"] != answered["prekeys"]:
        raise ValueError("respond spends the key")
    out.refused("handshake/spent", "respond", "the one-time key was used",
                {**answer, "prekeys": answered["prekeys"]})  # fmt: skip
    out.refused("handshake/thread", "respond", "another thread", {**answer, "thread": SERVER})
    size = len(begun["body"]) // 2
    for name, at in (("signature", size - 1), ("ephemeral", 260), ("ciphertext", 1_000)):
        out.refused(f"handshake/altered-{name}", "respond", f"altered {name}",
                    {**answer, "body": flipped(begun["body"], at)})  # fmt: skip
    return begun, answered


class Talk:
    """A conversation by seal and unseal; each step is a scenario of its own."""

    def __init__(self, out: Scenarios, begun: Json, answered: Json) -> None:
        self.out = out
        sessions = {
            "alice": from_bytes(Session, bytes.fromhex(begun["session"])),
            "bob": from_bytes(Session, bytes.fromhex(answered["session"])),
        }
        self.ratchets = {who: to_bytes(one.ratchet).hex() for who, one in sessions.items()}
        self.people = {"alice": ALICE, "bob": BOB}
        self.session = sessions["alice"].id.hex()
        self.confirm = sessions["alice"].confirm.hex()
        self.openings: list[str] = []

    def _common(self, who: str) -> Json:
        author = self.people[who]
        place = {"thread": THREAD, "session": self.session, "author": author["account"]}
        return {**COMMON, "author": author, "place": place, "confirm": self.confirm}

    def seal(self, name: str, who: str, content: Json, aead: str = AEADS[0]) -> Json:
        signed = {
            "generation": 1,
            "time": NOW + 77,
            "previous_sequence": 3,
            "previous": label("previous"),
            "session_version": 9,
            "checkpoint_size": 1_234,
            "checkpoint_root": label("checkpoint"),
            "content": content,
        }
        sealed = self.out.add(
            f"talk/{name}/seal", "seal", f"{who} seals",
            {
                **self._common(who), "ratchet": self.ratchets[who], "signed": signed, "seen": 4,
                "aead": aead, "seed": label(f"talk/{name}"),
                "id": label("kept id")[:32] if name == "4-answer" else None,
            },
        )  # fmt: skip
        self.ratchets[who] = sealed["ratchet"]
        if sealed["opening"] is not None:
            self.openings.append(sealed["opening"])
        return {**sealed, "by": who, "name": name}

    def opening_inputs(self, sealed: Json, now: int) -> Json:
        reader = "bob" if sealed["by"] == "alice" else "alice"
        return {
            **self._common(sealed["by"]),
            "ratchet": self.ratchets[reader],
            "openings": list(self.openings),
            "body": sealed["body"],
            "now": now,
        }

    def unseal(self, sealed: Json, *, now: int = NOW + 100) -> None:
        reader = "bob" if sealed["by"] == "alice" else "alice"
        opened = self.out.add(
            f"talk/{sealed['name']}/unseal", "unseal", f"{reader} opens",
            self.opening_inputs(sealed, now),
        )  # fmt: skip
        self.ratchets[reader] = opened["ratchet"]

    def refused(self, name: str, reason: str, inputs: Json) -> None:
        self.out.refused(f"talk/{name}", "unseal", reason, inputs)


def say(text: str) -> Json:
    return {"kind": "text", "text": text}


def conversation(out: Scenarios, begun: Json, answered: Json) -> None:
    talk = Talk(out, begun, answered)
    first = talk.seal("1-first", "alice", say("hello"))
    no_opening = {**talk.opening_inputs(first, NOW + 100), "openings": []}
    talk.refused("1-no-opening", "the opening must be fetched", no_opening)
    talk.unseal(first)
    replay = talk.opening_inputs(first, NOW + 100)
    talk.refused("1-replay", "read before", replay)
    lost = talk.seal("2-lost", "alice", say("late"), AEADS[1])
    late = talk.seal("3-late", "alice", say("grüße 🙂"), AEADS[2])
    talk.unseal(late)
    answer = talk.seal("4-answer", "bob", say("x" * 5_000))
    talk.unseal(answer)
    resent = {"kind": "resent", "id": lost["id"], "text": "late"}
    turn = talk.seal("5-turn", "alice", resent)
    talk.unseal(turn)
    expired = talk.opening_inputs(lost, NOW + 31 * 86_400_000)
    talk.refused("2-expired", "a skipped key lives 30 days", expired)
    inputs = talk.opening_inputs(lost, NOW + 200)
    for name, wrong in (
        ("confirm", {"confirm": SERVER}),
        ("thread", {"place": {**inputs["place"], "thread": SERVER}}),
        ("body", {"body": flipped(lost["body"], len(lost["body"]) // 2 - 1)}),
        ("author", {"place": {**inputs["place"], "author": BOB["account"]}}),
    ):
        talk.refused(f"2-other-{name}", f"another {name}", {**inputs, **wrong})
    talk.unseal(lost, now=NOW + 200)
    archived = {**COMMON, "thread": THREAD, "body": late["body"], "author": ALICE}
    kept = {**archived, "content_key": late["content_key"]}
    out.add("archive/open", "open_archived", "by its content key alone", kept)
    out.refused("archive/key", "open_archived", "the commitment is to another key",
                {**archived, "content_key": first["content_key"]})  # fmt: skip
    out.refused("archive/author", "open_archived", "another account's signature",
                {**kept, "author": BOB})  # fmt: skip
    if opening_id(bytes.fromhex(talk.openings[0])).hex() == talk.session:
        raise ValueError("ids of openings and sessions have domains of their own")


class Thread:
    """Both members' files of one thread and its chain, moved by send and receive."""

    def __init__(self, out: Scenarios, alice: Json, bob: Json) -> None:
        self.out = out
        self.chain = Chain(bytes.fromhex(THREAD))
        self.sides: dict[str, Json] = {
            "alice": {"inputs": ALICE_OWN, "prekeys": alice["prekeys"], "version": 0},
            "bob": {"inputs": BOB_OWN, "prekeys": bob["prekeys"], "version": 0},
        }
        for who, peer in (("alice", BOB), ("bob", ALICE)):
            fresh = state.new_thread(bytes.fromhex(THREAD), bytes.fromhex(peer["account"]))
            self.sides[who]["state"] = state.save(fresh).hex()

    def send(self, name: str, who: str, content: Json, **more: Any) -> Json:
        side = self.sides[who]
        side["version"] += 1
        inputs = {
            **side["inputs"], "state": side["state"], "content": content, "now": NOW + 1_000,
            "session_version": side["version"], "checkpoint": NO_CHECKPOINT, "bundle": None,
            "restart": False, "aead": AEADS[0], "seed": label(f"thread/{name}"), "id": None, **more,
        }  # fmt: skip
        sent = self.out.add(f"thread/{name}/send", "send", f"{who} sends", inputs)
        side["state"] = sent["state"]
        for append in sent["appends"]:
            self.chain.append(append["kind"], bytes.fromhex(append["body"]))
        return sent

    def receive_inputs(self, who: str, **more: Any) -> Json:
        side = self.sides[who]
        size = state.load(bytes.fromhex(side["state"])).chain.size
        entries = [
            {"header": e.header.hex(), "salt": e.salt.hex(), "body": e.body and e.body.hex()}
            for e in self.chain.entries[size:]
        ]
        return {
            **side["inputs"], "state": side["state"], "prekeys": side["prekeys"],
            "entries": entries, "now": NOW + 2_000, "refreshed": True, "unknown_own_below": 0,
            **more,
        }  # fmt: skip

    def receive(self, name: str, who: str, **more: Any) -> Json:
        read = self.out.add(
            f"thread/{name}/receive-{who}", "receive", f"{who} reads",
            self.receive_inputs(who, **more),
        )  # fmt: skip
        self.sides[who].update(state=read["state"], prekeys=read["prekeys"])
        return read


def threads(out: Scenarios, alice: Json, bob: Json) -> None:
    talk = Thread(out, alice, bob)
    bundle = person(BOB_OWN, "own").bundle((1, 0)).hex()
    unbundled = {**talk.sides["alice"]["inputs"], "state": talk.sides["alice"]["state"]}
    out.refused(
        "thread/no-bundle", "send", "a new session needs the bundle",
        {
            **unbundled, "content": say("x"), "now": NOW, "session_version": 1, "bundle": None,
            "checkpoint": NO_CHECKPOINT, "restart": False, "aead": AEADS[0], "seed": SERVER,
            "id": None,
        },
    )  # fmt: skip
    before = talk.sides["alice"]["state"]
    talk.send("1", "alice", say("hello"), bundle=bundle)
    talk.send("2", "alice", say("again"), aead=AEADS[1])
    rolled = {**talk.receive_inputs("alice"), "state": before}
    out.refused("thread/rolled-back", "receive", "own entries unknown to an old file", rolled)
    out.add(
        "thread/rolled-back-consent", "receive", "passes what lies before",
        {**rolled, "unknown_own_below": 5},
    )  # fmt: skip
    talk.receive("2", "bob")
    talk.receive("2", "alice")
    talk.send("3", "bob", say("welcome"))
    talk.receive("3", "alice")
    talk.send("4", "alice", say("turn"))
    gap = talk.receive_inputs("bob")
    out.refused("thread/gap", "receive", "an entry is missing",
                {**gap, "entries": gap["entries"][1:]})  # fmt: skip
    foreign = {**gap["entries"][0], "salt": SERVER}
    out.refused("thread/content", "receive", "another salt than the header's",
                {**gap, "entries": [foreign, *gap["entries"][1:]]})  # fmt: skip
    erased = [*gap["entries"][:-1], {**gap["entries"][-1], "body": None}]
    out.add("thread/erased", "receive", "an erased message", {**gap, "entries": erased})
    talk.receive("4", "bob")
    again = person(ALICE_OWN, "own").bundle(None).hex()
    talk.send("5", "bob", say("anew"), bundle=again, restart=True)
    talk.receive("5", "alice")
    talk.receive("5", "bob")
    mark = {"state": talk.sides["bob"]["state"], "author": BOB["account"], "thread": THREAD}
    sealed = out.add("mark/seal", "mark", "112 bytes",
                     {**mark, "sequence": 9, "time": NOW, "salt": label("mark")})  # fmt: skip
    reading = {**mark, "state": talk.sides["alice"]["state"], "blob": sealed["blob"]}
    out.add("mark/open", "open_mark", "the other side reads it", reading)
    out.refused("mark/author", "open_mark", "another author", {**reading, "author": SERVER})
    out.refused("mark/bit", "open_mark", "altered",
                {**reading, "blob": flipped(sealed["blob"], 111)})  # fmt: skip


def generate() -> list[Json]:
    out = Scenarios()
    unlocking(out)
    vaults(out)
    alice, bob = identities(out)
    begun, answered = handshakes(out, bob)
    conversation(out, begun, answered)
    threads(out, alice, bob)
    return out.all


def write() -> None:
    document = {
        "source": "tests/tools/generate_e2ee_vectors.py",
        "operations": "tests/e2ee/operations.py",
        "scenarios": generate(),
    }
    PATH.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
