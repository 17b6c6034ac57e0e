"""Whose page sent a request: Origin and Sec-Fetch-Site against our own addresses."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from secure_msg.web.outer import Environ


class Origins:
    """`public` are the addresses that browsers use; when empty, the one that a request names.

    A name in it is believed when proxies, which know their names, are trusted. Else anybody's name
    could lead here (DNS rebinding), and only numbers and localhost lead to nobody else's page.
    """

    def __init__(self, public: tuple[str, ...], *, any_name: bool) -> None:
        self._public = frozenset(public)
        self._any_name = any_name

    def ours(self, environ: Environ) -> bool:
        """For what changes something: the request says that it comes from our own page."""
        origin, site = _origin(environ), environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site != "same-origin":
            return False
        if origin is None:
            return site == "same-origin"
        return origin in self._allowed(environ)

    def ours_by_name(self, environ: Environ) -> bool:
        """For sockets: Origin itself must be there and ours."""
        return _origin(environ) is not None and self.ours(environ)

    def foreign(self, environ: Environ) -> bool:
        """Whether a request says that another site's page made it."""
        return environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")

    def _allowed(self, environ: Environ) -> frozenset[str]:
        if self._public:
            return self._public
        host = str(environ.get("HTTP_HOST", "")).lower()
        if not self._any_name and not nobody_else_s(host):
            return frozenset()
        return frozenset({f"{environ['wsgi.url_scheme']}://{host}"})


def nobody_else_s(host: str) -> bool:
    """Whether a Host header is localhost or a number: no name that somebody could point here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        ip_address(name)
    except ValueError:
        return False
    return True


def _origin(environ: Environ) -> str | None:
    origin = environ.get("HTTP_ORIGIN")
    return None if origin is None else str(origin).lower()
