"""
Lane and site on one port, and the lane alone.

``application`` answers the hot operations natively and everything else through a WSGI bridge: one
origin for the demo and for a small brand. ``intake`` is the lane alone, for replicas behind a proxy.
"""

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

site = get_wsgi_application()

import config.celery  # noqa: F401 - nudges go to this application
from livestream.lane.application import Application, Lane
from livestream.lane.buying import Buying
from livestream.lane.http import Receive, Scope, Send
from livestream.lane.memory import Memory
from livestream.lane.noticing import Noticing
from livestream.lane.redeeming import Redeeming
from livestream.lane.watching import Watching
from orders.providers import registry


def lane(behind: Application | None) -> Lane:
    memory = Memory()
    return Lane(
        buying=Buying(memory=memory, provider=registry.DEFAULT),
        noticing=Noticing(),
        redeeming=Redeeming(),
        watching=Watching(memory=memory),
        memory=memory,
        site=behind,
    )


bridge = WSGIMiddleware(cast(Any, site), workers=8)


async def bridged(scope: Scope, receive: Receive, send: Send) -> None:
    """
    The site behind the bridge, which runs ``receive()`` as a coroutine from its worker threads.

    Granian's returns a future of its own, and the bridge cannot take that.
    """

    async def receive_message() -> Any:
        return await receive()

    async def send_message(message: Any) -> None:
        await send(message)

    await bridge(cast(Any, scope), cast(Any, receive_message), send_message)


application = lane(bridged)
intake = lane(None)
