"""The pages on a phone: how light a first visit is, how soon a result is on the screen, how fast the site answers."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests import factories
from tests.bench.load import Outcome, closed_loop, request_bytes
from tests.bench.report import Figure
from tests.bench.stand import Server, own_database, serve
from tests.pages.shop_stand import Shop, open_shop
from tests.vouchers import counters
from tests.vouchers.counters import Counter
from vouchers.models import Voucher

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
PASSWORD = "qingyu-7-green-leaves"
PHONE = {"width": 390, "height": 844}
SCANS = 30
WARM_SCANS = 2
CLIENTS = 16
FIGURES = ("pages_first_load_kb", "pages_first_load_requests", "scan_to_result_ms", "tap_to_result_ms", "pages_p95_ms")
REQUESTS = 320
WARM_UP = 48
DRINKS = 40
LISTINGS = 6
HELD = 12
STATIC = "HEXIAO_BENCH_STATIC"
DEPLOYED = "tests.bench.as_deployed"

# From the moment at which the page sends what was scanned to the second frame after the answer is in the page:
# the first frame is drawn with it, the second comes when that one has been shown.
STOPWATCH = """
document.addEventListener("htmx:beforeRequest", () => { window.sent = performance.now(); });
document.addEventListener("htmx:afterSettle", () => requestAnimationFrame(() => requestAnimationFrame(() => {
  window.taken = performance.now() - window.sent;
})));
"""
WHEN_TAKEN = (
    "new Promise((told) => { (function look() { window.taken ? told(window.taken) : setTimeout(look, 5); })(); })"
)


@dataclass(frozen=True)
class FirstLoad:
    name: str
    bytes: int
    requests: int


def pages() -> Iterator[Figure]:
    """``FIGURES``, with Chromium itself."""
    if CHROMIUM is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium fonts-noto-cjk")
    with own_database(), collected():
        shop, counter = _shop(), _counter()
        codes = [voucher.code for voucher in counter.vouchers(count=SCANS + WARM_SCANS, bought_at=datetime.now(UTC))]
        addresses = _addresses(shop)
        cookies = "; ".join(f"{name}={one.value}" for name, one in shop.client.cookies.items())
        with (
            serve("config.asgi:application", DJANGO_SETTINGS_MODULE=DEPLOYED) as server,
            sync_playwright() as playwright,
        ):
            site = f"http://127.0.0.1:{server.port}"
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            loads = [
                _first_load(chromium.new_context(viewport=PHONE), site, path)
                for path in (shop.url(), "/console/sign-in/")
            ]
            yield from _first_loads(loads)
            yield from _results(*_at_the_counter(chromium.new_context(viewport=PHONE), site, counter, codes))
            chromium.close()
        with serve("config.wsgi:application", interface="wsgi", workers=2, DJANGO_SETTINGS_MODULE=DEPLOYED) as server:
            yield _slowest({name: _loaded(server, path, cookies) for name, path in addresses.items()})


@contextmanager
def collected() -> Iterator[None]:
    """Static files as an image has them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATIC] = folder
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
        ignored = ["--ignore", "drf_spectacular_sidecar", "--ignore", "rest_framework"]
        settings = {"DJANGO_SETTINGS_MODULE": DEPLOYED}
        try:
            subprocess.run([*command, *ignored], env={**os.environ, **settings}, check=True)
            yield
        finally:
            del os.environ[STATIC]


def _shop() -> Shop:
    """A sale of six deals, a menu of forty drinks with sizes, a dozen vouchers in her wallet, a drink in her cart."""
    shop = open_shop()
    shop.client.defaults["SERVER_NAME"] = "127.0.0.1"
    drinks = [
        factories.product(
            shop.brand, price_fen=1_600 + 100 * number, categories=[f"第 {number % 5} 类"], position=number
        )
        for number in range(DRINKS)
    ]
    factories.option_group(shop.brand, *drinks)
    for number in range(LISTINGS):
        shop.offer(f"任选中杯单杯券 {number}", allotment=2_000)
    shop.vouchers(count=HELD)
    shop.choose_store()
    shop.pick()
    return shop


def _addresses(shop: Shop) -> dict[str, str]:
    voucher = Voucher.objects.filter(customer_id=shop.customer.id)[0].public_id
    rest = {"live": "", "wallet": "wallet/", "ticket": f"wallet/{voucher}/", "menu": "menu/", "cart": "cart/"}
    return {name: shop.url(path) for name, path in {**rest, "confirm": "confirm/"}.items()}


def _counter() -> Counter:
    counter = counters.counter(name="滨江天街店")
    counter.clerk.set_password(PASSWORD)
    counter.clerk.save()
    return counter


def _first_load(context: BrowserContext, site: str, path: str) -> FirstLoad:
    """Bytes as they came over the wire, headers and all, of everything a first visit asks for."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    sizes: list[int] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(f"{site}{path}", wait_until="load")
    page.wait_for_timeout(1_000)
    context.close()
    return FirstLoad(path.split("/")[1], sum(sizes), len(sizes))


def _at_the_counter(
    context: BrowserContext, site: str, counter: Counter, codes: list[str]
) -> tuple[list[float], list[float]]:
    """One clerk, one voucher after another: milliseconds to what is usable, and to the result."""
    page = context.new_page()
    page.goto(f"{site}/console/")
    page.fill("#username", counter.clerk.username)
    page.fill("#password", PASSWORD)
    page.click("form.sign-in button.is-big")
    page.wait_for_selector("#code")
    page.evaluate(STOPWATCH)
    prepared, redeemed = [], []
    for code in codes:
        prepared.append(_taken(page, partial(page.fill, "#code", code)))
        redeemed.append(_taken(page, partial(page.click, "#redeem-button")))
        page.click("#scan-next")
        page.wait_for_selector("#code")
        page.evaluate(STOPWATCH)
    context.close()
    return prepared[WARM_SCANS:], redeemed[WARM_SCANS:]


def _taken(page: Page, act: Callable[[], object]) -> float:
    page.evaluate("window.taken = 0")
    act()
    return float(page.evaluate(WHEN_TAKEN))


def _loaded(server: Server, path: str, cookies: str) -> Outcome:
    request = request_bytes("GET", path, headers=[f"Cookie: {cookies}", "Accept-Encoding: gzip"])
    closed_loop(server.port, [request] * WARM_UP, clients=CLIENTS)
    return closed_loop(server.port, [request] * REQUESTS, clients=CLIENTS)


def _first_loads(loads: list[FirstLoad]) -> Iterator[Figure]:
    each = ", ".join(f"/{one.name}/ {one.bytes / 1_000:.1f} KB in {one.requests}" for one in loads)
    what = f"the heavier of two first visits with an empty cache, over the wire as Chromium counts it: {each}"
    yield Figure("pages_first_load_kb", round(max(one.bytes for one in loads) / 1_000, 1), "KB", what)
    yield Figure("pages_first_load_requests", max(one.requests for one in loads), "requests", what)


def _results(prepared: list[float], redeemed: list[float]) -> Iterator[Figure]:
    for name, what, took in (
        ("scan_to_result_ms", "a code sent → what is usable, shown", prepared),
        ("tap_to_result_ms", "核销 tapped → green, shown", redeemed),
    ):
        conditions = (
            f"p95 of {len(took)}, median {_percentile(took, 50):.0f}; {what}: Chromium and the site (lane and site on "
            "one port) on one machine, from sending to the second frame after the swap"
        )
        yield Figure(name, round(_percentile(took, 95)), "ms", conditions)


def _slowest(under_load: dict[str, Outcome]) -> Figure:
    slowest = max(under_load, key=lambda name: under_load[name].percentile_ms(95))
    each = ", ".join(f"{name} {one.percentile_ms(95):.0f} ({one.per_second:.0f}/s)" for name, one in under_load.items())
    failed = {name: dict(one.statuses) for name, one in under_load.items() if set(one.statuses) != {200}}
    return Figure(
        "pages_p95_ms",
        round(under_load[slowest].percentile_ms(95)),
        "ms",
        f"the slowest, {slowest}; p95 at {CLIENTS} clients (pages/s), closed loop, 2 web processes of 4 threads: {each}"
        + (f"; NOT ANSWERED SO: {failed}" if failed else ""),
    )


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
