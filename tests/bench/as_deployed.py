"""The settings with static files as an image has them: collected, hashed, compressed, below STATIC_ROOT."""

import os
from pathlib import Path

from config.settings import *  # noqa: F403 - these settings are those, but for the files
from config.settings import STORAGES as USUAL

STATIC_ROOT = Path(os.environ["HEXIAO_BENCH_STATIC"])
STORAGES = {**USUAL, "staticfiles": {"BACKEND": "config.pages.design.storage.HashedFiles"}}
WHITENOISE_USE_FINDERS = False
