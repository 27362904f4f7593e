"""docs/terms.md is what the rules say of themselves."""

from django.conf import settings

from vouchers.management.commands.terms_page import page
from vouchers.verdict import RULES


def test_the_committed_page_is_current() -> None:
    assert (settings.BASE_DIR / "docs" / "terms.md").read_text() == page(), "run ./manage.py terms_page, commit docs/"


def test_every_rule_has_its_row() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]

    assert [row.split("`")[1] for row in rows] == list(RULES)
