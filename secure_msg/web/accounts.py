"""Routes of docs/spec/http.md, "Accounts"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from flask import Blueprint, Response, current_app, jsonify, request

from secure_msg.accounts.credentials import LANES, MEMORY_KIB, PASSES
from secure_msg.accounts.errors import NotFound
from secure_msg.accounts.names import MAX_TYPED, skeleton_of
from secure_msg.accounts.records import MAX_BROWSER
from secure_msg.accounts.sessions import SECRET_SIZE, SignedIn, new_session
from secure_msg.codec.accounts import SUITE
from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import (
    MAX_BLOB,
    MAX_PAGE,
    CredentialChange,
    Registration,
    RegistrationResult,
)
from secure_msg.codec.schema import Fixed, Text, record
from secure_msg.web import limits as rates
from secure_msg.web.bodies import answer, read_id, read_json, read_nothing, read_record
from secure_msg.web.browsers import browser_name
from secure_msg.web.limits import address_key, limits
from secure_msg.web.realtime import realtime
from secure_msg.web.services import services
from secure_msg.web.sessions import NOBODY, csrf_token, own_session, signed_in, who_or_none
from secure_msg.web.tickets import Tickets

REGISTRATION_LIMIT = 256 * 1024
CREDENTIAL_LIMIT = 8 * 1024 * 1024
TRANSACT_LIMIT = 4 * 1024 * 1024
TICKETS = "secure_msg.tickets"

routes = Blueprint("accounts", __name__)


@record
@dataclass(frozen=True, slots=True)
class NameRequest:
    name: Annotated[str, Text(MAX_TYPED)]


@record
@dataclass(frozen=True, slots=True)
class SignInRequest:
    name: Annotated[str, Text(MAX_TYPED)]
    login_key: Annotated[bytes, Fixed(32)]


@record
@dataclass(frozen=True, slots=True)
class RecoveryRequest:
    name: Annotated[str, Text(MAX_TYPED)]
    recovery_login_key: Annotated[bytes, Fixed(32)]


KDF = {"memory_kib": MEMORY_KIB, "passes": PASSES, "lanes": LANES}


@routes.get("/api/server")
def server() -> Response:
    found = services()
    return jsonify(
        origin=found.server.origin,
        id=to_base64url(found.server.id),
        public=to_base64url(found.server.public),
        suites=[SUITE],
        registration="open" if found.registrations.is_open else "closed",
        limits={"blob": MAX_BLOB, "page": MAX_PAGE, "transact": TRANSACT_LIMIT},
        version=found.server.version,
    )


@routes.get("/api/session")
def session() -> Response:
    who = who_or_none()
    said: dict[str, Any] = {"signed_in": who is not None, "csrf": csrf_token()}
    if who is not None:
        said["account"] = to_base64url(who.account)
        said["name"] = services().directory.name(who.account) or ""
        said["session"] = who.session.hex()
        said["recovering"] = who.recovering
    return jsonify(said)


@routes.post("/api/registration/begin")
def begin_registration() -> Response:
    limits().require(rates.SIGN_INS_AN_ADDRESS, "begin", address_key())
    asked = read_json(NameRequest)
    begun = services().registrations.begin(asked.name, services().random)
    return jsonify(
        account=to_base64url(begun.ticket.account),
        skeleton=begun.skeleton,
        stored_random=to_base64url(begun.ticket.stored_random),
        kdf=KDF,
        ticket=to_base64url(_tickets().write(begun.ticket)),
    )


@routes.post("/api/registration")
def register() -> Response:
    limits().require(rates.REGISTRATIONS, address_key())
    found = services()
    asked = read_record(Registration, REGISTRATION_LIMIT)
    ticket = _tickets().read(asked.ticket)
    session = new_session(ticket.account, _browser(), found.now(), found.random)
    before = who_or_none()
    committed = found.registrations.finish(ticket, asked, session)
    if before is not None:
        _drop(before)
    own_session().give(session.token)
    return answer(RegistrationResult(ticket.account, csrf_token(), committed), 201)


@routes.post("/api/sign-in/begin")
def begin_sign_in() -> Response:
    asked = read_json(NameRequest)
    _limit_sign_in("begin", asked.name)
    derivation = services().sign_in.begin(asked.name)
    return jsonify(
        skeleton=derivation.skeleton,
        stored_random=to_base64url(derivation.stored_random),
        kdf=KDF,
    )


@routes.post("/api/sign-in")
def sign_in() -> Response:
    asked = read_json(SignInRequest)
    _limit_sign_in("sign-in", asked.name)
    check = services().sign_in.check
    return _signed_in(lambda: check(asked.name, asked.login_key), recovering=False)


@routes.post("/api/recovery/begin")
def begin_recovery() -> Response:
    asked = read_json(NameRequest)
    _limit_sign_in("begin-recovery", asked.name)
    return jsonify(account=to_base64url(services().sign_in.begin_recovery(asked.name)))


@routes.post("/api/recovery")
def recover() -> Response:
    asked = read_json(RecoveryRequest)
    _limit_sign_in("recovery", asked.name)
    check = services().sign_in.check_recovery
    return _signed_in(lambda: check(asked.name, asked.recovery_login_key), recovering=True)


@routes.post("/api/credential")
def change_credential() -> Response:
    who = signed_in(recovering=True)
    limits().require(rates.RENEWALS, who.account.hex())
    asked = read_record(CredentialChange, CREDENTIAL_LIMIT)
    found = services()
    found.transact.check_files(who.account, asked.puts)
    committed = found.renewal.change(who, asked)
    found.transact.folder_changed(who.account, asked.puts, committed.versions)
    realtime().end_others(who)
    return answer(committed)


@routes.post("/api/sign-out")
def sign_out() -> Response:
    who = signed_in(recovering=True)
    read_nothing()
    found = services()
    found.sessions.end(who.account, who.session)
    own_session().give(NOBODY + found.random(SECRET_SIZE))
    realtime().end(who.account, who.session)
    return Response(status=204)


@routes.get("/api/sessions")
def sessions() -> Response:
    who = signed_in()
    listed = services().sessions.listed(who.account, services().now())
    return jsonify(
        sessions=[
            {
                "id": one.id.hex(),
                "created": one.created,
                "last_seen": one.last_seen,
                "browser": one.browser,
                "current": one.id == who.session,
            }
            for one in listed
        ]
    )


@routes.delete("/api/sessions/<session>")
def end_session(session: str) -> Response:
    who = signed_in()
    read_nothing()
    found = services()
    if session == "all":
        found.sessions.end_others(who)
        realtime().end_others(who)
    else:
        ended = read_id(session, 16)
        found.sessions.end(who.account, ended)
        realtime().end(who.account, ended)
    return Response(status=204)


@routes.get("/api/directory")
def directory() -> Response:
    who = signed_in()
    limits().require(rates.SEARCHES, who.account.hex())
    query = request.args.get("q", "")[:MAX_TYPED]
    people = services().directory.search(query)
    return jsonify(
        people=[{"account": to_base64url(one.account), "name": one.name} for one in people]
    )


@routes.get("/api/accounts/<account>")
def account_chain(account: str) -> Response:
    signed_in()
    return answer(services().chains.served(_known(account)))


@routes.post("/api/accounts/<account>/bundle")
def bundle(account: str) -> Response:
    who = signed_in()
    read_nothing()
    wanted = _known(account)
    allowed = limits().allows(rates.BUNDLES_ASKED, who.account.hex(), account) and limits().allows(
        rates.BUNDLES_OF_ONE, account
    )
    return answer(services().prekeys.bundle(wanted, with_one_time=allowed))


def _known(account: str) -> bytes:
    """Raises NotFound for what is no account, without asking the disk."""
    found = read_id(account)
    if services().directory.name(found) is None:
        raise NotFound
    return found


def _limit_sign_in(act: str, typed: str) -> None:
    """Counted alike for names that exist and names that do not."""
    limits().require(rates.SIGN_INS_AN_ADDRESS, act, address_key())
    limits().require(rates.SIGN_INS_A_NAME, act, skeleton_of(typed))


def _signed_in(prove: Callable[[], bytes], *, recovering: bool) -> Response:
    """A new token each time: the one before this sign-in, if any, is worth nothing after it."""
    found = services()
    account = prove()
    before = who_or_none()
    made = new_session(account, _browser(), found.now(), found.random, recovering=recovering)
    found.sessions.begin(made, found.now(), prove)
    if before is not None:
        _drop(before)
    own_session().give(made.token)
    return jsonify(
        account=to_base64url(account),
        name=found.directory.name(account) or "",
        csrf=csrf_token(),
    )


def _drop(before: SignedIn) -> None:
    """Who signs in or registers in the same browser leaves the session before."""
    try:
        services().sessions.end(before.account, before.session)
    except NotFound:
        return
    realtime().end(before.account, before.session)


def _browser() -> str:
    return browser_name(request.headers.get("User-Agent", ""))[:MAX_BROWSER]


def _tickets() -> Tickets:
    found = current_app.extensions[TICKETS]
    if not isinstance(found, Tickets):
        raise TypeError("the application has no tickets")
    return found
