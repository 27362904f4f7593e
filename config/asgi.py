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

import config.celery  # noqa: F401 - nudges go to this application

application = WSGIMiddleware(cast(Any, get_wsgi_application()), workers=8)
