"""
One Chromium and one live server for all browser tests.

They wait for what the page shows, never for time. Where Chromium is not installed they are skipped and say so.
"""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from tests.browser.camera import FakeCamera
from tests.vouchers import counters
from tests.vouchers.counters import Counter

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
PASSWORD = "qingyu-7-green-leaves"
PHONE = {"width": 390, "height": 844}
# A machine at a tenth of this one's speed is still right.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium fonts-noto-cjk"
        for item in items:
            if "tests/browser/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> FakeCamera:
    return FakeCamera(tmp_path_factory.mktemp("camera") / "shown.y4m")


@pytest.fixture(scope="session")
def browser(camera: FakeCamera, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",  # tests run as root in containers
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera.path}",
            ],
        )
        with _playwrights_loop(asyncio._get_running_loop()):
            yield browser
        browser.close()
    # Threads of the server that a closed browser left behind must not keep the database from being dropped.
    with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@dataclass
class Visitor:
    """One person's browser; ``page`` is where she is. What its console or its scripts complain of fails the test."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)


LOOP: list[Any] = []


@contextmanager
def _playwrights_loop(loop: Any) -> Iterator[None]:
    LOOP.append(loop)
    yield
    asyncio._set_running_loop(LOOP.pop())


@pytest.fixture(autouse=True)
def _thread_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Playwright's synchronous calls leave their event loop set in this thread. The database is used all the same, and
    between these tests the thread has none: others run loops of their own in it.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    if LOOP:
        asyncio._set_running_loop(LOOP[0])
    yield
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(transactional_db: None, live_server: LiveServer, browser: Browser) -> Iterator[Any]:
    """A new browser, as ``visit(locale="en-GB", viewport=…)``."""
    opened: list[Visitor] = []

    def visit(**options: Any) -> Visitor:
        context = browser.new_context(
            base_url=live_server.url, **{"locale": "zh-CN", "viewport": PHONE, "permissions": ["camera"], **options}
        )
        context.set_default_timeout(60_000)
        visitor = Visitor(context, context.new_page())
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitor.page.on("console", lambda said: _hear(visitor, said))
        opened.append(visitor)
        return visitor

    yield visit
    for visitor in opened:
        visitor.context.close()
    assert [complaint for visitor in opened for complaint in visitor.complaints] == []


def _hear(visitor: Visitor, said: Any) -> None:
    # What a test cuts or refuses on purpose is told by the browser as a failed resource, and by htmx under its name.
    expected = ("Failed to load resource", "net::ERR", "htmx:")
    if said.type == "error" and not any(name in said.text for name in expected):
        visitor.complaints.append(said.text)


@pytest.fixture
def counter(transactional_db: None) -> Counter:
    made = counters.counter(name="滨江天街店")
    made.clerk.display_name = "陈雨"
    made.clerk.set_password(PASSWORD)
    made.clerk.save()
    return made


@pytest.fixture
def clerk(visit: Any, counter: Counter) -> Visitor:
    """The clerk, signed in on her phone."""
    visitor: Visitor = visit()
    sign_in(visitor.page, counter)
    return visitor


def sign_in(page: Page, counter: Counter) -> None:
    page.goto("/console/")
    page.fill("#username", counter.clerk.username)
    page.fill("#password", PASSWORD)
    page.click("form.sign-in button.is-big")
    expect(page.locator("#code")).to_be_visible()


def until(page: Page, expression: str) -> None:
    """
    Wait until it is true on the page.

    Playwright's own ``wait_for_function`` looks again from inside the page, where the policy forbids evaluating.
    """
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"it never came true that {expression}")


AXE = (Path(__import__("axe_playwright_python").__file__).parent / "axe.min.js").read_text()


def serious_problems(page: Page) -> list[str]:
    """What axe-core finds on the page that is serious or worse."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0]['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
