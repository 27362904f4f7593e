"""
Lane and site on one port, and the lane alone.

``application`` answers the hot operations natively and everything else through a WSGI bridge: one
origin for the demo and for a small brand. ``intake`` is the lane alone, for replicas behind a proxy.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from a2wsgi import WSGIMiddleware

from config.wsgi import application as site

application = WSGIMiddleware(site, workers=8)
