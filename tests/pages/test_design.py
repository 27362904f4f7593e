"""The design: contrast of its colours, words in both languages, nothing inline, every component on one page."""

import gzip
import re
from pathlib import Path
from string import Formatter

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import Client

from config.kernel.errors import DomainError
from config.pages.design import tokens, words
from config.pages.design.common_words import WORDS
from config.pages.design.templatetags import ui

PAGES = settings.BASE_DIR / "config/pages"
TEMPLATES = sorted(PAGES.rglob("templates/**/*.html"))
SAID = re.compile(r"""(?:{%\s*say\s+|\bsay\(\s*|words\.say\(\s*|_said\(request,\s*|\btold\(\s*)["']([a-z0-9_.]+)["']""")
PAIRS = [
    *(("ink", "bg", 7), ("ink", "surface", 7), ("ink2", "bg", 4.5), ("ink2", "surface", 4.5), ("ink3", "bg", 4.5)),
    *(("ink3", "surface", 4.5), ("ink3", "sunken", 4.5), ("ink2", "sunken", 4.5), ("edge", "surface", 3)),
    *(("edge", "bg", 3), ("on-act", "act", 7), ("on-done", "done", 4.5), ("on-stop", "stop", 4.5)),
    *(("done-ink", "done-soft", 4.5), ("stop-ink", "stop-soft", 4.5), ("stop-ink", "surface", 4.5)),
    *(("stop-ink", "sunken", 4.5), ("done-ink", "surface", 4.5), ("gain-ink", "gain-soft", 4.5)),
    *(("gain-ink", "surface", 4.5), ("gain-ink", "bg", 4.5), ("wait-ink", "wait-soft", 4.5)),
    *(("wait-ink", "surface", 4.5), ("ink2", "wait-soft", 4.5), ("on-brand", "brand", 4.5), ("brand", "surface", 3)),
    *(("brand", "bg", 3), ("brand-ink", "surface", 4.5), ("brand-ink", "bg", 4.5), ("brand-ink", "brand-soft", 4.5)),
    *(("focus", "surface", 3), ("focus", "bg", 3), ("ink2", "brand-soft", 4.5), ("ink2", "gain-soft", 4.5)),
    ("on-hero", "hero", 4.5),
]


@pytest.mark.parametrize("scheme", [tokens.LIGHT, tokens.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_a_pair_of_colours_has_its_contrast(scheme: tokens.Tokens, text: str, ground: str, least: float) -> None:
    assert tokens.contrast(scheme[text], scheme[ground]) >= least


def test_contrast_is_what_wcag_computes() -> None:
    assert tokens.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert tokens.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_the_stylesheet_has_these_tokens() -> None:
    assert (PAGES / "design/static/design/tokens.css").read_text() == tokens.as_css()


def test_stylesheets_name_no_colour_of_their_own() -> None:
    allowed = {"#fff", "#0000", "#000"}
    found = {
        colour
        for sheet in PAGES.rglob("static/**/*.css")
        if sheet.name != "tokens.css"
        for colour in re.findall(r"#[0-9a-fA-F]{3,8}\b", sheet.read_text())
    }

    assert found <= allowed


def test_every_text_is_there_in_both_languages_with_the_same_blanks() -> None:
    assert words.known()
    for key, (zh, en) in words.known().items():
        assert zh, key
        assert en, key
        forms = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (zh, *en.split("|"))]
        assert forms[0] == forms[-1], f"{key}: other blanks"
        assert "|" not in en or "n" in forms[0], f"{key}: two forms and no number"
        assert not re.search(r"[\u4e00-\u9fff][,?:;()!]", zh), f"{key}: half-width punctuation"


def test_every_text_that_is_said_is_known_and_none_is_left_over() -> None:
    sources = [*TEMPLATES, *(path for path in PAGES.rglob("*.py"))]
    said = {key for path in sources for key in SAID.findall(path.read_text())}
    text = "\n".join(path.read_text() for path in sources if not path.name.endswith("words.py"))
    unsaid = {key for key in words.known().keys() - WORDS.keys() if f'"{key}"' not in text and f"'{key}'" not in text}

    assert said <= words.known().keys(), said - words.known().keys()
    assert {key for key in unsaid if not key.startswith(COMPOSED)} == set()


def test_the_glossary_says_what_the_pages_say() -> None:
    rows = re.findall(
        r"^\|.*\| (.+) / (.+) \| `say ([a-z0-9_.]+)` \|$", Path("docs/glossary.md").read_text(), re.MULTILINE
    )

    assert len(rows) > 20
    assert [(zh, en) for zh, en, _ in rows] == [words.known()[key] for *_, key in rows]


COMPOSED = ("board.status.", "order.reason.", "board.reason.", "tour.step", "practice.", "voucher.", "way.")
"""Families whose last part is a value, put together where they are said."""


def test_every_refusal_has_its_sentence_in_both_languages() -> None:
    for code, refusal in DomainError.registry.items():
        assert re.search(r"[\u4e00-\u9fff]", refusal.zh), code
        assert refusal.en, code
        assert code not in refusal.zh, f"{code} is shown to people"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline(template: Path) -> None:
    text = template.read_text()

    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert not re.search(r"<style\b", text)
    assert all("src=" in tag for tag in re.findall(r"<script\b[^>]*>", text))


def test_money_has_two_decimals_and_its_minus_before_the_sign() -> None:
    assert "¥</span>12,345.00" in ui.money(1_234_500)
    assert "\N{MINUS SIGN}<span" in ui.money(-800)


def test_a_code_is_read_digit_by_digit() -> None:
    assert 'aria-label="4 8 2 6 0 9 1 7 3 3 5 4"' in ui.code("482609173354")
    assert "4826 0917 3354" in ui.code("482609173354")


def test_pages_go_compressed_over_the_wire_and_the_apis_answers_as_they_are() -> None:
    phone = Client(headers={"Accept-Encoding": "gzip"})

    page = phone.get("/console/offline/")

    assert page["Content-Encoding"] == "gzip"
    assert "网络断了" in gzip.decompress(page.content).decode()
    assert "Content-Encoding" not in phone.get("/console/manifest.webmanifest")


def test_the_styleguide_is_for_debugging() -> None:
    assert Client().get("/styleguide/").status_code == 404


def test_the_styleguide_shows_everything(settings: object) -> None:
    settings.DEBUG = True  # type: ignore[attr-defined]

    page = Client().get("/styleguide/")

    assert page.status_code == 200
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_the_language_is_the_browsers_until_one_is_chosen() -> None:
    client = Client()

    assert 'lang="zh-Hans"' in client.get("/nowhere/").text
    assert 'lang="en"' in client.get("/nowhere/", headers={"Accept-Language": "en-GB,zh;q=0.8"}).text
    client.post("/language/", {"language": "en", "next": "/nowhere/"})
    assert 'lang="en"' in client.get("/nowhere/", headers={"Accept-Language": "zh-CN"}).text


def test_a_choice_of_language_leads_nowhere_else() -> None:
    assert Client().post("/language/", {"language": "en", "next": "https://example.org/"})["Location"] == "/"


def test_a_page_that_is_not_there_says_so_in_a_sentence() -> None:
    page = Client().get("/console/nowhere/")

    assert page.status_code == 404
    assert "没有这个页面" in page.text
    assert 'href="/console/"' in page.text


def test_static_files_are_collected_under_hashed_names(settings: object, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path  # type: ignore[attr-defined]
    settings.STORAGES = {  # type: ignore[attr-defined]
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "config.pages.design.storage.HashedFiles"},
    }

    call_command("collectstatic", verbosity=0, interactive=False, ignore=["drf_spectacular_sidecar", "rest_framework"])

    page = render_to_string("design/fault.html", {"lang": "zh-Hans", "language": "zh", "title": "x"})
    assert re.search(r"/static/design/ui\.[0-9a-f]{12}\.css", page)
    assert list(tmp_path.glob("design/ui.*.css.gz"))


def test_the_counters_first_load_is_small() -> None:
    """At most 100 KB compressed in at most 20 requests: the scan page, with everything that it names."""
    page = render_to_string("console/offline.html", {"lang": "zh-Hans", "language": "zh"})
    named = set(re.findall(r'(?:src|href)="/static/([^"]+)"', page))
    whole = len(gzip.compress(page.encode()))
    for name in named:
        path = finders.find(name)
        assert isinstance(path, str), name
        whole += len(gzip.compress(Path(path).read_bytes()))

    assert {"design/ui.css", "console/console.js", "django_htmx/htmx-2.min.js"} <= named
    assert len(named) + 3 <= 20, "and the page, its manifest, its worker"
    assert whole <= 100 * 1024
