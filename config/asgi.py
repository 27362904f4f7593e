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


application = lane(cast(Any, WSGIMiddleware(cast(Any, site), workers=8)))
intake = lane(None)
