"""What was promised at the beginning of a registration, signed, good for half an hour."""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeTimedSerializer

from secure_msg.accounts.registration import Ticket
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.fields import from_base64url, to_base64url
from secure_msg.web.errors import WebProblem

SECONDS = 1_800
MAX_TICKET = 2_048


class Tickets:
    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeTimedSerializer(key, salt="securemsg/registration-ticket/1")

    def write(self, ticket: Ticket) -> bytes:
        parts = [to_base64url(ticket.account), ticket.name, to_base64url(ticket.stored_random)]
        written = self._serializer.dumps(parts)
        return written if isinstance(written, bytes) else written.encode("ascii")

    def read(self, data: bytes) -> Ticket:
        """Raises WebProblem when it is not ours, altered or older than half an hour."""
        try:
            parts = self._serializer.loads(data, max_age=SECONDS)
            account, name, stored_random = parts
            return Ticket(from_base64url(account), str(name), from_base64url(stored_random))
        except (BadSignature, MalformedData, ValueError):
            raise WebProblem("malformed", "ticket") from None
