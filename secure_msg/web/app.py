"""The web application around the services."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from secure_msg.crypto.mac import hmac_sha256
from secure_msg.settings import Settings
from secure_msg.web import accounts, messages, operation, pages
from secure_msg.web.answers import Answers
from secure_msg.web.assets import Assets
from secure_msg.web.errors import init_errors
from secure_msg.web.gate import Gate
from secure_msg.web.limits import BODY_LIMIT, CONNECTIONS_OF_ONE, Limits
from secure_msg.web.metrics import EXTENSION as METRICS
from secure_msg.web.metrics import Metrics
from secure_msg.web.origins import Origins
from secure_msg.web.outer import Outer, Wsgi
from secure_msg.web.pacing import Paced
from secure_msg.web.realtime import EXTENSION as REALTIME
from secure_msg.web.realtime import Realtime
from secure_msg.web.services import EXTENSION, Services
from secure_msg.web.sessions import init_sessions
from secure_msg.web.tickets import Tickets
from secure_msg.web.watchers import Watchers

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Web:
    """`wsgi` is what a server runs; `flask` is for tests of routes."""

    wsgi: Wsgi
    flask: Flask
    live: Realtime


def create_web(settings: Settings, services: Services, live: Realtime, metrics: Metrics) -> Web:
    app = Flask("secure_msg", template_folder=str(ROOT / "templates"), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["MAX_FORM_MEMORY_SIZE"] = 0
    app.config[CONNECTIONS_OF_ONE] = _connections_of_one(settings)
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = services
    app.extensions[accounts.TICKETS] = Tickets(hmac_sha256(services.cookie_key, b"tickets"))
    app.extensions[pages.EXTENSION] = Assets(ROOT / "static")
    proxied = settings.trusted_proxies > 0
    origins = Origins(settings.public_url, any_name=proxied)
    app.extensions[METRICS] = metrics
    app.extensions[operation.WATCHERS] = Watchers(settings.metrics_token, origins, proxied=proxied)
    init_errors(app)
    limits = Limits(app, settings.rate_factor)
    init_sessions(app, services, origins)
    for room in (accounts, messages, operation, pages):
        app.register_blueprint(room.routes)
    for quiet in (operation.health, pages.static_file):
        limits.limiter.exempt(quiet)
    live.attach(Answers(services, limits, metrics), services.reading, settings.rate_factor)
    app.extensions[REALTIME] = live
    app.wsgi_app = Gate(app.wsgi_app, services, origins, live)  # type: ignore[method-assign]
    app.wsgi_app = Paced(app.wsgi_app, settings.rate_factor)  # type: ignore[method-assign]
    app.wsgi_app = Outer(app.wsgi_app, services.random, metrics.requested)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return Web(app, app, live)


def _connections_of_one(settings: Settings) -> int:
    """How many one address may have; 0: any number, because all come from the proxies."""
    return 0 if settings.trusted_proxies else max(16, settings.max_connections // 4)
