"""What can be wrong with bytes or with an object, by whose fault (docs/spec/encoding.md)."""

from __future__ import annotations


class CodecError(Exception):
    """Base: a value breaks a rule. The text has the place and the rule, never the content."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path = ""

    def within(self, place: str) -> None:
        """Put `place` (a record's name, ".field" or "[index]") before the path, on the way out."""
        self.path = place + self.path

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" if self.path else self.what


class MalformedData(CodecError):
    """The bytes or JSON that came in are not what they should be."""


class Unencodable(CodecError):
    """The caller's own object does not fit its schema."""
