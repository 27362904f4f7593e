"""The table of who may do what, and the page that shows it."""

from pathlib import Path

from stores.permissions import APPOINTS, ROLES, SCOPES, Permission, Role, as_markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"


def test_the_page_shows_the_table() -> None:
    _, _, shown = PAGE.read_text().partition("<!-- the table of stores/permissions.py -->\n\n")

    assert shown == as_markdown(), "put what stores.permissions.as_markdown() says below the mark"


def test_every_permission_says_whose_it_is() -> None:
    assert set(ROLES) == set(Permission)
    assert all(ROLES[permission] or SCOPES.get(permission) for permission in Permission)


def test_who_watches_the_money_does_not_move_it() -> None:
    for role in (Role.FINANCE, Role.AUDITOR, Role.CUSTOMER_SERVICE):
        assert role not in ROLES[Permission.REDEEM]
        assert role not in ROLES[Permission.SELL]


def test_nobody_but_the_owner_appoints_her_equal() -> None:
    assert [role for role, appointed in APPOINTS.items() if role in appointed] == [Role.OWNER]
    assert all(role in ROLES[Permission.APPOINT_STAFF] for role in APPOINTS)
