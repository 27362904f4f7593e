"""Back and again in a browser: where the page itself asks for itself meanwhile, that takes the place of ours."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Error, Page


def reload(page: Page) -> None:
    _move(page, page.reload)


def go_back(page: Page) -> None:
    """After a step back to what htmx had put there, htmx asks for the page itself."""
    _move(page, page.go_back)


def _move(page: Page, move: Callable[[], Any]) -> None:
    try:
        move()
    except Error as error:
        if "ERR_ABORTED" not in error.message:
            raise
        page.wait_for_load_state()
