"""Looking at a page: axe over it, its width, and with HEXIAO_SCREENS a picture for docs/screens (``make screens``)."""

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import PHONE, serious_problems

SCREENS = os.environ.get("HEXIAO_SCREENS")
"""The folder that takes the pictures, which is there; without it none are made."""
DESKTOP = {"width": 1280, "height": 800}


def looked_at(page: Page, name: str, locale: str, scheme: str, *, is_key: bool) -> None:
    """The page is for everybody, and no wider than a phone. Of key pages a picture is kept."""
    # As high as the page, so that nothing lies under the bar at its foot when axe measures it.
    page.set_viewport_size({**PHONE, "height": max(PHONE["height"], page.evaluate("document.body.scrollHeight"))})
    problems = serious_problems(page)
    page.set_viewport_size(PHONE)
    assert problems == [], f"{name}: {problems}"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    if not SCREENS or scheme == "dark" or not is_key:
        return
    for width, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(viewport)
        taken = Image.open(io.BytesIO(page.screenshot())).quantize(128)
        taken.save(Path(SCREENS) / f"{name}-{locale[:2]}-{width}.png", optimize=True)
    page.set_viewport_size(PHONE)
