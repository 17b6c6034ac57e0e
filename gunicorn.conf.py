"""How gunicorn serves SECURE-MSG: `gunicorn` alone, or `python app.py`, reads this file.

One worker, because one process owns the storage folder.
"""

import gc

from app import announce, finish, load_settings

_settings = load_settings()
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host

bind = f"{_host}:{_settings.port}"
wsgi_app = "app:application()"
proc_name = "secure-msg"
workers = 1
worker_class = "secure_msg.web.worker.Worker"
worker_connections = _settings.max_connections
logger_class = "secure_msg.web.worker.QuietLogger"
loglevel = _settings.log_level
control_socket_disable = True
# A journal is replayed before the first heartbeat.
timeout = 300
# Connections end within seconds (web/worker.py); the rest is for what is put into files.
graceful_timeout = 30
# Also the time in which a request's head must arrive.
keepalive = 15
limit_request_line = 4_094
limit_request_fields = 64
limit_request_field_size = 8_190
# What a proxy says is read by the application, for as many hops as the settings trust.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


def pre_fork(_server: object, _worker: object) -> None:
    """The worker shares the code's memory with this process for as long as neither writes there.

    The garbage collector writes into all that it visits, so it is told to leave alone what is
    there already.
    """
    gc.collect()
    gc.freeze()


def post_worker_init(worker: object) -> None:
    announce(worker)


def worker_exit(_server: object, _worker: object) -> None:
    finish()
