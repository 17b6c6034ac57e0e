"""Sends through the whole server: each acknowledged when it is durable, signed and provable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bench_floors
from bench_clients import Measured, run_apart
from bench_people import FIRST_ENTRIES, PRODUCT, Conversation, clients, conversation, served
from bench_servers import busy_seconds, resident_bytes

from secure_msg.codec.fields import from_base64url
from secure_msg.codec.http import ThreadList
from secure_msg.codec.proofs import Receipt
from secure_msg.ledger.receipt import verify_receipt
from tests.support.api import Api

# About what one sender gets through in a second, to prepare enough frames.
MOST_A_SECOND = 12_000
MOST_OF_ONE = 1_500


def run(folder: Path, senders: int, *, warm: float, seconds: float) -> dict[str, Any]:
    """`senders` conversations, each with a listening recipient."""
    folder.mkdir(exist_ok=True)
    with served(folder / f"send-{senders}") as server:
        talks = [conversation(server, number) for number in range(senders)]
        count = int(min(MOST_OF_ONE, MOST_A_SECOND / senders) * (warm + seconds)) + 8
        pairs = [clients(talk, count) for talk in talks]
        both = [writer for writer, _ in pairs] + [reader for _, reader in pairs]
        before = busy_seconds(server.process_id)
        found = run_apart(server.base, PRODUCT, both, warm=warm, seconds=seconds)
        busy = busy_seconds(server.process_id) - before
        check(talks, found)
        return {
            **bench_floors.figures(found, busy),
            "told_a_second": found.told / found.seconds,
            "saves": found.saved,
            "request_bytes": len(pairs[0][0].sends[0]),
            "resident_mib": resident_bytes(server.process_id) / 2**20,
        }


def check(talks: list[Conversation], found: Measured) -> None:
    """Every acknowledged send is in its thread, and the ledger proves the last one of each.

    Raises ValueError, ProofError, InvalidSignature.
    """
    for number, talk in enumerate(talks):
        listed = talk.reader_api.get("/api/threads").record(ThreadList).threads
        size = next(item.size for item in listed if item.thread == talk.thread)
        # One more may have been stored whose answer came after the clients had stopped.
        if size - FIRST_ENTRIES - found.sent[number] not in (0, 1):
            raise ValueError("what was acknowledged is not what is stored")
    _prove(talks[0].reader_api, talks)


def _prove(api: Api, talks: list[Conversation]) -> None:
    server = api.get("/api/server").json
    for talk in talks[:8]:
        listed = talk.reader_api.get("/api/threads").record(ThreadList).threads
        last = next(item.size for item in listed if item.thread == talk.thread) - 1
        path = f"/api/receipts/{talk.thread.hex()}/{last}"
        receipt = talk.reader_api.get(path).record(Receipt)
        verify_receipt(receipt, from_base64url(server["public"]), server["origin"])
