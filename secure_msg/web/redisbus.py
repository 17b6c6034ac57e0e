"""Redis as the bus between processes; imported only where one is set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gevent
import redis

LOG = logging.getLogger("secure_msg.relay")

CHANNEL = "securemsg:announcements"
PAUSE_SECONDS = 0.5
WAIT_SECONDS = 1.0


class RedisBus:
    """`url` is secret, and not logged."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=5
        )

    def publish(self, data: bytes) -> None:
        try:
            self._redis.publish(CHANNEL, data)
        except redis.RedisError as error:
            LOG.warning("nothing is published: %s", type(error).__name__)

    def _listener(self) -> Any:
        return self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]

    def messages(self) -> Iterator[bytes]:
        while True:
            try:
                with self._listener() as pubsub:
                    pubsub.subscribe(CHANNEL)
                    while True:
                        message = pubsub.get_message(timeout=WAIT_SECONDS)
                        if message is not None and isinstance(message["data"], bytes):
                            yield message["data"]
            except redis.RedisError as error:
                LOG.warning("the bus is not heard: %s", type(error).__name__)
                gevent.sleep(PAUSE_SECONDS)
