"""Routes of docs/spec/http.md, "Messages"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from flask import Blueprint, Response, jsonify

from secure_msg.codec.cbor import MAX_INT
from secure_msg.codec.fields import to_base64url
from secure_msg.codec.http import MAX_PAGE, TransactRequest
from secure_msg.codec.schema import Fixed, record
from secure_msg.web import limits as rates
from secure_msg.web.bodies import answer, read_id, read_json, read_number, read_record
from secure_msg.web.errors import WebProblem
from secure_msg.web.limits import limits
from secure_msg.web.services import services
from secure_msg.web.sessions import signed_in

TRANSACT_LIMIT = 4 * 1024 * 1024

routes = Blueprint("messages", __name__)


@record
@dataclass(frozen=True, slots=True)
class ThreadRequest:
    peer: Annotated[bytes, Fixed(32)]


@routes.get("/api/threads")
def threads() -> Response:
    who = signed_in()
    return answer(services().reading.threads(who.account))


@routes.post("/api/threads")
def open_thread() -> Response:
    who = signed_in()
    asked = read_json(ThreadRequest)
    thread, size = services().reading.open(who.account, asked.peer)
    return jsonify(thread=to_base64url(thread), size=size)


@routes.get("/api/threads/<thread>/entries")
def entries(thread: str) -> Response:
    who = signed_in()
    start, count = read_number("start", MAX_INT), read_number("count", MAX_PAGE)
    return answer(services().reading.entries(who.account, read_id(thread), start, count))


@routes.get("/api/threads/<thread>/marks")
def marks(thread: str) -> Response:
    who = signed_in()
    return answer(services().reading.marks(who.account, read_id(thread)))


@routes.post("/api/transact")
def transact() -> Response:
    who = signed_in()
    limits().require(rates.TRANSACTIONS, who.account.hex())
    asked = read_record(TransactRequest, TRANSACT_LIMIT)
    limits().require_transaction(who.account, asked)
    return answer(services().transact.run(who.account, asked, None))


@routes.get("/api/private")
def private_list() -> Response:
    who = signed_in(recovering=True)
    return answer(services().reading.private_list(who.account))


@routes.get("/api/private/<path>")
def private(path: str) -> Response:
    who = signed_in(recovering=True)
    return answer(services().reading.private(who.account, read_id(path)))


@routes.get("/api/receipts/<chain>/<sequence>")
def receipt(chain: str, sequence: str) -> Response:
    who = signed_in()
    if not sequence.isascii() or not sequence.isdigit() or len(sequence) > 16:
        raise WebProblem("not-found")
    number = int(sequence)
    if str(number) != sequence or number > MAX_INT:
        raise WebProblem("not-found")
    return answer(services().reading.receipt(who.account, read_id(chain), number))
