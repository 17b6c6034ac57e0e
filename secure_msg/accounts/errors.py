"""What the accounts room refuses. `kind` is the problem kind of docs/spec/http.md."""

from __future__ import annotations

from typing import ClassVar


class AccountsError(Exception):
    """Base. `detail` is one short word for programs; it never quotes what was sent."""

    kind: ClassVar[str] = "refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.kind}: {detail}" if detail else self.kind)
        self.detail = detail


class NameRefused(AccountsError):
    """The name breaks a rule of accounts/names; `detail` says which."""

    kind = "name-refused"


class NameTaken(AccountsError):
    """The name, or one that looks like it, belongs to somebody."""

    kind = "name-taken"


class StatementRefused(AccountsError):
    """A statement is not by the account's root, or does not follow what stands on the chain."""

    kind = "statement-refused"


class SignInFailed(AccountsError):
    """Wrong name or key; never says which."""

    kind = "sign-in-failed"


class NotSignedIn(AccountsError):
    kind = "not-signed-in"


class NotFound(AccountsError):
    """It does not exist, or is not the asker's to see."""

    kind = "not-found"


class Refused(AccountsError):
    """The asker may not do this (registration is closed, the session is recovering)."""

    kind = "refused"


class Malformed(AccountsError):
    """The request's parts do not fit together."""

    kind = "malformed"
