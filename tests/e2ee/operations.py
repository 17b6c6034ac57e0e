"""The operations of the cross-language scenarios: each a function of its inputs alone.

A scenario is {name, operation, reason, inputs, expected}. Bytes are hex. A person is
{seed, account, name, batch}: the account that new_identity makes of SeededRandom(seed), with one
signed prekey and one batch, at `now` of the scenario's inputs on its `server`; all signatures are
deterministic. A refusal is {"error": class}. TypeScript has the same operations in
tests/ts/e2ee/operations.ts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from secure_msg.codec.errors import CodecError
from secure_msg.codec.messages import OpeningEntry, opening_id, read_envelope
from secure_msg.codec.schema import from_bytes, to_bytes
from secure_msg.crypto.agreement import AgreementKey
from secure_msg.crypto.random import SeededRandom
from secure_msg.crypto.signature import HYBRID
from secure_msg.e2ee import (
    accountkeys,
    envelope,
    handshake,
    identity,
    marks,
    prekeys,
    ratchet,
    state,
    thread,
    unlock,
    vault,
)
from secure_msg.e2ee import send as sending
from secure_msg.e2ee.accountkeys import AccountKeys
from secure_msg.e2ee.envelope import Content, ResentContent, Signed, TextContent
from secure_msg.e2ee.errors import ProtocolError, Replayed
from secure_msg.e2ee.events import Checkpoint, Event
from secure_msg.e2ee.prekeys import Prekeys
from secure_msg.e2ee.ratchet import Place, RatchetState
from tests.e2ee.world import Entry, Person
from tests.e2ee.world import person as make_person

Json = dict[str, Any]
Operation = Callable[[Json], Json]


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex(text or "")


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


@cache
def _person(seed: str, account: str, name: str, batch: int, server: str, now: int) -> Person:
    return make_person(
        name,
        account=_bytes(account),
        batch=batch,
        random=SeededRandom(_bytes(seed)),
        server=_bytes(server),
        now=now,
    )


def person(inputs: Json, who: str) -> Person:
    given = inputs[who]
    return _person(
        given["seed"],
        given["account"],
        given["name"],
        given["batch"],
        inputs["server"],
        inputs["created"],
    )


def run(operation: str, inputs: Json) -> Json:
    """What the operation gives, a refusal included."""
    try:
        return OPERATIONS[operation](inputs)
    except Replayed:
        return {"error": "AuthenticationFailed"}
    except (ProtocolError, CodecError) as error:
        return {"error": type(error).__name__}


def _unlock(i: Json) -> Json:
    keys = unlock.derive_unlock(
        i["password"],
        server=_bytes(i["server"]),
        skeleton=i["skeleton"],
        stored_random=_bytes(i["stored_random"]),
        parameters=unlock.KdfParameters(i["memory_kib"], i["passes"], i["lanes"]),
        second_secret=None if i["second_secret"] is None else _bytes(i["second_secret"]),
    )
    return {"login_key": keys.login.hex(), "personal_key": keys.personal.hex()}


def _recovery_code(i: Json) -> Json:
    code = _bytes(i["code"])
    keys = unlock.recovery_keys(code, _bytes(i["account"]))
    return {
        "text": unlock.write_recovery_code(code),
        "login_key": keys.login.hex(),
        "recovery_key": keys.recovery.hex(),
    }


def _read_recovery_code(i: Json) -> Json:
    return {"code": unlock.read_recovery_code(i["text"]).hex()}


def _epochs(i: Json) -> list[vault.NewEpoch]:
    random = SeededRandom(_bytes(i["seed"]))
    recovery = None if i["recovery_key"] is None else _bytes(i["recovery_key"])
    personal = _bytes(i["personal_key"])
    made = [
        vault.new_vault(
            _bytes(i["account"]), personal_key=personal, recovery_key=recovery, random=random
        )
    ]
    while len(made) < i["epochs"]:
        made.append(
            vault.next_epoch(
                made[-1].vault, personal_key=personal, recovery_key=recovery, random=random
            )
        )
    return made


def _vault(i: Json) -> Json:
    made = _epochs(i)
    return {
        "wraps": [vault.save_wraps(one.wraps).hex() for one in made],
        "paths": [vault.path_for(made[-1].vault, label).hex() for label in i["labels"]],
    }


def _open_wraps(i: Json) -> Json:
    opened = vault.open_wraps(
        _bytes(i["wraps"]), account=_bytes(i["account"]), which=i["which"], key=_bytes(i["key"])
    )
    return {"epoch": opened.epoch, "path": vault.path_for(opened, i["label"]).hex()}


def _seal_file(i: Json) -> Json:
    open_vault = _epochs(i)[-1].vault
    blob = vault.seal_file(
        open_vault,
        i["label"],
        version=i["version"],
        plaintext=_bytes(i["plaintext"]),
        salt=_bytes(i["salt"]),
    )
    return {"path": vault.path_for(open_vault, i["label"]).hex(), "blob": blob.hex()}


def _open_file(i: Json) -> Json:
    open_vault = _epochs(i)[-1].vault
    plaintext = vault.open_file(
        open_vault, i["label"], version=i["version"], blob=_bytes(i["blob"])
    )
    return {"plaintext": plaintext.hex()}


def _seal_account_keys(i: Json) -> Json:
    secrets = person(i, "person").secrets
    random = SeededRandom(_bytes(i["nonces"]))
    return {
        "keys": to_bytes(accountkeys.seal_account_keys(_epochs(i)[-1].vault, secrets, random)).hex()
    }


def _open_account_keys(i: Json) -> Json:
    sealed = from_bytes(AccountKeys, _bytes(i["keys"]))
    secrets = accountkeys.open_account_keys(_epochs(i)[-1].vault, sealed)
    newest = secrets.generations[-1]
    return {
        "root_public": HYBRID.generate(secrets.root).public.hex(),
        "signing_public": HYBRID.generate(newest.signing).public.hex(),
        "agreement_public": AgreementKey(newest.agreement).public.hex(),
    }


def _identity(i: Json) -> Json:
    who = person(i, "person")
    return {
        "entries": [{"kind": kind, "body": body.hex()} for kind, body in who.entries],
        "prekeys": to_bytes(who.prekeys).hex(),
        "fingerprint": who.view.fingerprint.hex(),
    }


def _safety_number(i: Json) -> Json:
    return {"text": identity.safety_number(_bytes(i["mine"]), _bytes(i["theirs"]))}


def _open_bundle(i: Json) -> Json:
    bundle = identity.open_bundle(
        _bytes(i["bundle"]),
        server=_bytes(i["server"]),
        account=_bytes(i["account"]),
        pinned=None if i["pinned"] is None else _bytes(i["pinned"]),
    )
    one_time = bundle.one_time
    return {
        "fingerprint": bundle.view.fingerprint.hex(),
        "keys": bundle.keys.statement.hex(),
        "prekey": bundle.prekey.statement.hex(),
        "one_time": None
        if one_time is None
        else {
            "batch": one_time.batch.batch,
            "index": one_time.index,
            "statement": one_time.batch.statement.hex(),
        },
    }


def _initiate(i: Json) -> Json:
    own, peer = person(i, "own"), person(i, "peer")
    begun = handshake.initiate(
        own.own,
        identity.open_bundle(_bytes(i["bundle"]), server=_bytes(i["server"]), account=peer.account),
        thread=_bytes(i["thread"]),
        replaces=_bytes(i["replaces"]),
        now=i["now"],
        random=SeededRandom(_bytes(i["seed"])),
    )
    peer_prekey = peer.view.prekeys[-1].agreement
    session = state.new_session(
        begun.session,
        begun.handshake,
        begun.secrets,
        ratchet.start_initiator(begun.secrets, peer_prekey),
        initiated=True,
    )
    return {"body": begun.body.hex(), "session": to_bytes(session).hex()}


def _respond(i: Json) -> Json:
    own, peer = person(i, "own"), person(i, "peer")
    answer = handshake.respond(
        _bytes(i["body"]),
        own=own.own,
        peer=peer.view,
        thread=_bytes(i["thread"]),
        prekeys=from_bytes(Prekeys, _bytes(i["prekeys"])),
    )
    session = state.new_session(
        answer.session,
        answer.handshake,
        answer.secrets,
        ratchet.start_responder(answer.secrets, answer.prekey_private),
        initiated=False,
    )
    return {"session": to_bytes(session).hex(), "prekeys": to_bytes(answer.prekeys).hex()}


def content(given: Json) -> Content:
    if given["kind"] == "text":
        return TextContent(given["text"])
    return ResentContent(_bytes(given["id"]), given["text"])


def _place(i: Json) -> Place:
    return Place(*(_bytes(i["place"][part]) for part in ("thread", "session", "author")))


def _seal(i: Json) -> Json:
    s = i["signed"]
    signed = Signed(
        s["generation"],
        s["time"],
        s["previous_sequence"],
        _bytes(s["previous"]),
        s["session_version"],
        s["checkpoint_size"],
        _bytes(s["checkpoint_root"]),
        content(s["content"]),
    )
    sealed = envelope.seal(
        from_bytes(RatchetState, _bytes(i["ratchet"])),
        signed,
        place=_place(i),
        confirm=_bytes(i["confirm"]),
        seen=i["seen"],
        aead=i["aead"],
        signing=person(i, "author").own.signing,
        random=SeededRandom(_bytes(i["seed"])),
        message_id=None if i["id"] is None else _bytes(i["id"]),
    )
    return {
        "ratchet": to_bytes(sealed.ratchet).hex(),
        "opening": _hex(sealed.opening),
        "id": sealed.id.hex(),
        "content_key": sealed.content_key.hex(),
        "body": sealed.body.hex(),
    }


def _public_of(i: Json) -> Callable[[int], bytes]:
    view = person(i, "author").view
    return lambda generation: identity.keys_of(view, generation).signing


def _unseal(i: Json) -> Json:
    openings = {
        opening_id(_bytes(body)): from_bytes(OpeningEntry, _bytes(body)) for body in i["openings"]
    }
    unsealed = envelope.unseal(
        from_bytes(RatchetState, _bytes(i["ratchet"])),
        read_envelope(_bytes(i["body"])),
        place=_place(i),
        confirm=_bytes(i["confirm"]),
        find=openings.get,
        public_of=_public_of(i),
        now=i["now"],
    )
    return {
        "ratchet": to_bytes(unsealed.ratchet).hex(),
        "signed": to_bytes(unsealed.signed).hex(),
        "content_key": unsealed.content_key.hex(),
        "gap": unsealed.gap,
    }


def _open_archived(i: Json) -> Json:
    signed = envelope.open_archived(
        read_envelope(_bytes(i["body"])),
        _bytes(i["content_key"]),
        thread=_bytes(i["thread"]),
        public_of=_public_of(i),
    )
    return {"signed": to_bytes(signed).hex()}


def _send(i: Json) -> Json:
    own, peer = person(i, "own"), person(i, "peer")
    bundle = None
    if i["bundle"] is not None:
        bundle = identity.open_bundle(
            _bytes(i["bundle"]), server=_bytes(i["server"]), account=peer.account
        )
    sent = sending.send(
        state.load(_bytes(i["state"])),
        content(i["content"]),
        own=own.own,
        session_version=i["session_version"],
        checkpoint=Checkpoint(i["checkpoint"]["size"], _bytes(i["checkpoint"]["root"])),
        now=i["now"],
        random=SeededRandom(_bytes(i["seed"])),
        bundle=bundle,
        restart=i["restart"],
        aead=i["aead"],
        message_id=None if i["id"] is None else _bytes(i["id"]),
    )
    return {
        "state": state.save(sent.state).hex(),
        "id": sent.id.hex(),
        "appends": [
            {"kind": draft.kind, "body": draft.body.hex(), "expected": draft.expected}
            for draft in sent.drafts
        ],
    }


def entry(given: Json) -> Entry:
    body = None if given["body"] is None else _bytes(given["body"])
    return Entry(_bytes(given["header"]), _bytes(given["salt"]), body)


def _receive(i: Json) -> Json:
    own, peer = person(i, "own"), person(i, "peer")
    reading = thread.receive(
        state.load(_bytes(i["state"])),
        from_bytes(Prekeys, _bytes(i["prekeys"])),
        [entry(one) for one in i["entries"]],
        thread.Reader(own.own, peer.view, i["now"], i["refreshed"], i["unknown_own_below"]),
    )
    return {
        "state": state.save(reading.state).hex(),
        "prekeys": to_bytes(reading.prekeys).hex(),
        "segments": [to_bytes(segment).hex() for segment in reading.segments],
        "events": [event_json(event) for event in reading.events],
    }


def event_json(event: Event) -> Json:
    """What both languages say of an event: its name and what decides about it."""
    said: Json = {"event": type(event).__name__, "sequence": event.sequence}
    for name in ("id", "opener", "session"):
        if hasattr(event, name):
            said[name] = getattr(event, name).hex()
    for name in ("gap", "reason", "session_version", "time"):
        if hasattr(event, name):
            said[name] = getattr(event, name)
    said_content = getattr(event, "content", None)
    if said_content is not None:
        resent = isinstance(said_content, ResentContent)
        said["content"] = {"kind": "resent" if resent else "text", "text": said_content.text}
        if resent:
            said["content"]["id"] = said_content.id.hex()
    if hasattr(event, "ids"):
        said["ids"] = [one.hex() for one in event.ids]
    if type(event).__name__ == "Refused":
        said["kind"] = event.kind  # type: ignore[union-attr]
    return said


def _mark(i: Json) -> Json:
    mark = marks.ReadMark(i["sequence"], i["time"])
    blob = marks.seal_mark(
        state.load(_bytes(i["state"])), _bytes(i["author"]), mark, _bytes(i["salt"])
    )
    return {"path": marks.mark_path(_bytes(i["thread"])).hex(), "blob": blob.hex()}


def _open_mark(i: Json) -> Json:
    mark = marks.open_mark(state.load(_bytes(i["state"])), _bytes(i["author"]), _bytes(i["blob"]))
    return {"sequence": mark.sequence, "time": mark.time}


def _spend(i: Json) -> Json:
    """Only what `respond` leaves of the prekeys, by the next handshake with the same key."""
    after = prekeys.spend(
        from_bytes(Prekeys, _bytes(i["prekeys"])),
        prekeys.OneTimeRef(i["batch"], i["index"]),
    )
    return {"prekeys": to_bytes(after).hex()}


OPERATIONS: dict[str, Operation] = {
    "unlock": _unlock,
    "recovery_code": _recovery_code,
    "read_recovery_code": _read_recovery_code,
    "vault": _vault,
    "open_wraps": _open_wraps,
    "seal_file": _seal_file,
    "open_file": _open_file,
    "seal_account_keys": _seal_account_keys,
    "open_account_keys": _open_account_keys,
    "identity": _identity,
    "safety_number": _safety_number,
    "open_bundle": _open_bundle,
    "initiate": _initiate,
    "respond": _respond,
    "spend": _spend,
    "seal": _seal,
    "unseal": _unseal,
    "open_archived": _open_archived,
    "send": _send,
    "receive": _receive,
    "mark": _mark,
    "open_mark": _open_mark,
}
