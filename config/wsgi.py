"""The site under WSGI: ``granian --interface wsgi config.wsgi:application``."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.wsgi import get_wsgi_application

import config.celery  # noqa: F401 - nudges go to this application

application = get_wsgi_application()
