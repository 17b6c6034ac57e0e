"""Whose page sent a request: Origin and Sec-Fetch-Site against our own addresses."""

from __future__ import annotations

from secure_msg.web.outer import Environ


class Origins:
    """`public` are the addresses that browsers use; when empty, the one that a request names."""

    def __init__(self, public: tuple[str, ...]) -> None:
        self._public = frozenset(public)

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
        return frozenset({f"{environ['wsgi.url_scheme']}://{host}"})


def _origin(environ: Environ) -> str | None:
    origin = environ.get("HTTP_ORIGIN")
    return None if origin is None else str(origin).lower()
