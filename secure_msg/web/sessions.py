"""The cookie, who it stands for, and the token that a changing request must carry.

The cookie is an opaque token (account id ‖ secret, base64url); nothing is stored in it. Before
anybody has signed in it has zeros for the account, so that registration and sign-in are guarded
against cross-site requests too. Every sign-in makes a new one.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response, g, request, session
from flask.sessions import SessionInterface, SessionMixin
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf

from secure_msg.accounts.sessions import ACCOUNT_SIZE, SECRET_SIZE, TOKEN_SIZE, SignedIn
from secure_msg.codec.errors import MalformedData
from secure_msg.codec.fields import from_base64url, to_base64url
from secure_msg.crypto.mac import hmac_sha256
from secure_msg.web.errors import WebProblem
from secure_msg.web.origins import Origins
from secure_msg.web.outer import Environ, note
from secure_msg.web.services import Services, services

COOKIE = "sm_session"
COOKIE_SECONDS = 400 * 86_400
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
NOBODY = bytes(ACCOUNT_SIZE)

csrf = CSRFProtect()


class CookieSession(dict[str, Any], SessionMixin):
    """Of one request: the token that came, or the one that is given out with the response."""

    def __init__(self, token: bytes | None, cookie_key: bytes) -> None:
        super().__init__()
        self._cookie_key = cookie_key
        self.given = False
        self.modified = False
        self.token: bytes | None = None
        if token is not None:
            self._take(token)

    def give(self, token: bytes) -> None:
        """Send this token to the browser; what depends on the one before is void."""
        self._take(token)
        self.given = True

    def _take(self, token: bytes) -> None:
        self.token = token
        self["csrf_token"] = hmac_sha256(self._cookie_key, b"csrf", token).hex()
        g.pop("csrf_token", None)


class CookieSessions(SessionInterface):
    def __init__(self, cookie_key: bytes) -> None:
        self._cookie_key = cookie_key

    def open_session(self, app: Flask, request: Request) -> CookieSession:
        return CookieSession(_token_of(request), self._cookie_key)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, CookieSession) and session.given and session.token is not None:
            response.set_cookie(
                _cookie_name(request),
                to_base64url(session.token),
                max_age=COOKIE_SECONDS,
                secure=request.is_secure,
                httponly=True,
                samesite="Lax",
                path="/",
            )


class User(UserMixin):
    """Flask-Login's view of a valid session."""

    def __init__(self, who: SignedIn) -> None:
        self.who = who

    def get_id(self) -> str:
        return self.who.account.hex()


def _cookie_name(request: Request) -> str:
    """On https one that no neighbouring host can set in our place (RFC 6265bis section 4.1.3)."""
    return f"__Host-{COOKIE}" if request.is_secure else COOKIE


def _token_of(request: Request) -> bytes | None:
    return read_token(request.cookies.get(_cookie_name(request)))


def read_token(cookie: str | None) -> bytes | None:
    if cookie is None or len(cookie) > 2 * TOKEN_SIZE:
        return None
    try:
        token = from_base64url(cookie)
    except MalformedData:
        return None
    return token if len(token) == TOKEN_SIZE else None


def own_session() -> CookieSession:
    found: object = session._get_current_object()  # type: ignore[attr-defined]
    if not isinstance(found, CookieSession):
        raise TypeError("the application has another session interface")
    return found


def csrf_token() -> str:
    """For the present cookie; a browser that has none is given one."""
    own = own_session()
    if own.token is None:
        own.give(NOBODY + services().random(SECRET_SIZE))
    token: str = generate_csrf()
    return token


def who_or_none() -> SignedIn | None:
    user = current_user._get_current_object()
    return user.who if isinstance(user, User) else None


def signed_in(*, recovering: bool = False) -> SignedIn:
    """Who asks. Raises WebProblem: nobody, or a recovering session where it may not act."""
    who = who_or_none()
    if who is None:
        raise WebProblem("not-signed-in")
    if who.recovering and not recovering:
        raise WebProblem("refused", "recovering")
    g.required = who
    return who


def require_still_signed_in() -> None:
    """After a body has come, which takes its time: the session may have ended meanwhile."""
    who, token = g.get("required"), own_session().token
    if who is None or token is None:
        return
    found = services()
    if found.sessions.find(token, found.now()) != who:
        raise WebProblem("not-signed-in")


def who_connects(found: Services, environ: Environ) -> SignedIn | None:
    """Who a socket's request belongs to, outside of any route."""
    token = _token_of(Request(environ))
    return None if token is None else found.sessions.find(token, found.now())


def init_sessions(app: Flask, found: Services, origins: Origins) -> None:
    app.session_interface = CookieSessions(found.cookie_key)
    app.config.update(
        SECRET_KEY=hmac_sha256(found.cookie_key, b"signer").hex(),
        SESSION_PROTECTION=None,
        # No cookie can have this name: Flask-Login would take such a one for ours, and stop there.
        REMEMBER_COOKIE_NAME=";",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_HEADERS=["X-CSRF-Token"],
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    csrf.init_app(app)
    manager = LoginManager(app)

    def load(request: Request) -> User | None:
        token = own_session().token
        who = None if token is None else found.sessions.find(token, found.now())
        return None if who is None else User(who)

    def guard() -> None:
        rule = request.url_rule
        note(request.environ, "route", "none" if rule is None else rule.rule)
        note(request.environ, "room", request.blueprint or "none")
        who = who_or_none()
        if who is not None:
            note(request.environ, "account", who.account[:4].hex())
            if found.writable():
                found.sessions.seen(who, found.now())
        if request.path.startswith("/api/") and origins.foreign(request.environ):
            raise WebProblem("cross-site")
        if request.method in CHANGING:
            _require_ours(origins)

    manager.request_loader(load)
    app.before_request(guard)


def _require_ours(origins: Origins) -> None:
    if not origins.ours(request.environ):
        raise WebProblem("cross-site", "origin")
    # Flask-WTF would parse a form in search of its token; no route here reads one.
    if request.mimetype in FORMS:
        raise WebProblem("wrong-type")
    try:
        csrf.protect()
    except CSRFError:
        raise WebProblem("cross-site", "token") from None
