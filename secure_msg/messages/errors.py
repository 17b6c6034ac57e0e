"""What the messages room refuses. `kind` is the problem kind of docs/spec/http.md."""

from __future__ import annotations

from typing import ClassVar


class MessagesError(Exception):
    """Base. `detail` is one short word for programs; it never quotes what was sent."""

    kind: ClassVar[str] = "refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.kind}: {detail}" if detail else self.kind)
        self.detail = detail


class NotFound(MessagesError):
    """It does not exist, or is not the asker's to see: the two answers are one."""

    kind = "not-found"


class StaleSession(MessagesError):
    """The request names a session that is not the thread's current one."""

    kind = "stale-session"


class StatementRefused(MessagesError):
    """A statement's signature, members or author are not what they must be."""

    kind = "statement-refused"


class Malformed(MessagesError):
    """The request's parts do not fit together."""

    kind = "malformed"


class FolderFull(MessagesError):
    """The private folder would grow beyond its quota."""

    kind = "too-large"
