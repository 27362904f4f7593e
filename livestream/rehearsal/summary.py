"""What the rehearsal came to, on the screen: the books, what the plan saved, and the week's statements."""

from collections import Counter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from config.kernel.money import yuan
from livestream.rehearsal.crowd import Crowd
from livestream.rehearsal.figures import Books
from livestream.rehearsal.savings import Saved
from livestream.rehearsal.statements import Statement
from livestream.rehearsal.week import Told

OF_AN_ENTITY = (
    ("paid", "paid_fen", 1),
    ("fee", "fee_fen", -1),
    ("promoter", "borne_fen", -1),
    ("receives", "entity_fen", 1),
)
"""Of which ``promoter`` is his part and his provider's; a minus before what goes to somebody else."""
OF_THE_BRAND = (
    ("paid", "paid_fen", 1),
    ("stores", "entity_fen", -1),
    ("promoter", "promoter_fen", -1),
    ("provider", "provider_fen", -1),
    ("keeps", "brand_fen", 1),
)


def show_books(console: Console, found: Books, sale: Crowd, *, seconds: float, violations: int) -> None:
    table = _table("What the books say")
    for name, value in (
        (
            "accepted",
            f"{found.accepted:,} vouchers at {found.accept_per_s:,.0f} orders/s, p99 {sale.percentile_ms(99)} ms",
        ),
        ("  closed unpaid", f"{found.closed_unpaid:,} (stock and allowance given back)"),
        ("  sold = issued", f"{found.sold:,} = {found.issued:,}"),
        (
            "    redeemed · partly used",
            f"{found.redeemed:,} · {found.partly_used:,} ({found.undone:,} redemptions undone)",
        ),
        ("    refunded · expired", f"{found.refunded:,} · {found.expired:,}"),
        ("    open", f"{found.open:,}"),
        ("turned away", ", ".join(f"{code} {count:,}" for code, count in sale.refused.most_common()) or "nobody"),
        ("asked again", f"{sale.repeated:,} requests, each with its first key"),
        *((f"account {kind}", yuan(fen)) for kind, fen in found.balances_fen.items()),
        ("audit", f"violations: {violations}" + ("" if found.add_up else "; THE COUNTS DO NOT ADD UP")),
        ("took", f"{seconds} s"),
    ):
        table.add_row(name, value)
    console.print(table)


def show_savings(console: Console, told: Told) -> None:
    saved = told.saved
    table = _table("What the plan saved those who ordered from their wallets")
    table.add_row("orders", f"{told.placed:,} · {told.cancelled:,} given up · {told.sold_out:,} ran into sold out")
    table.add_row("plans", f"{saved.orders:,} compared, {saved.proven:,} proven best")
    table.add_row("they truly paid", f"{yuan(saved.plan_fen)} (cash, and what refunding the used vouchers would give)")
    for name, fen in _alternatives(saved):
        table.add_row(f"  {name}", f"{yuan(fen)}, {yuan(fen - saved.plan_fen)} more")
    table.add_row("  greed was dearer", f"for {saved.greed_dearer:,} of them")
    console.print(table)


def show_statement(console: Console, statement: Statement, columns: tuple[tuple[str, str, int], ...]) -> None:
    """Every row adds up from left to right, every column from above."""
    table = Table(title=statement.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("")
    for name in ("lines", *(name for name, _, _ in columns)):
        table.add_column(name, justify="right", no_wrap=True)
    for what, row in statement.rows.items():
        table.add_row(what, *_cells(row, columns))
    table.add_section()
    table.add_row("together", *_cells(statement.total, columns), style="bold")
    console.print(table)
    console.print()


def _cells(row: Counter[str], columns: tuple[tuple[str, str, int], ...]) -> list[str]:
    return [f"{row['lines']:,}", *(yuan(sign * row[name]) for _, name, sign in columns)]


def _alternatives(saved: Saved) -> tuple[tuple[str, int], ...]:
    return (
        ("with no voucher", saved.none_fen),
        ("with the best single one", saved.single_fen),
        ("by greed", saved.greedy_fen),
    )


def _table(title: str) -> Table:
    return Table(title=title, show_header=False, title_justify="left")


def as_json(told: Told, statements: list[Statement]) -> dict[str, Any]:
    saved = told.saved
    return {
        "store_orders": told.placed,
        "cancelled": told.cancelled,
        "sold_out": told.sold_out,
        "plan_fen": saved.plan_fen,
        "none_fen": saved.none_fen,
        "single_fen": saved.single_fen,
        "greedy_fen": saved.greedy_fen,
        "settled_lines": statements[-1].total["lines"],
        "settled_fen": statements[-1].total["paid_fen"],
    }
