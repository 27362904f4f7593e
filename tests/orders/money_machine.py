"""
Any sequence of acts over any settlement rules, on books kept in memory.

The acts post what the services post: the posting table, ``divide``, ``take_back`` and ``postings_of`` are theirs; only
the rows are lists here, so that thousands of sequences run in a minute. ``tests/orders/test_any_order.py`` plays the
same acts on the services and PostgreSQL.

    python -m tests.orders.long_money --examples 10000 --steps 50
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from config.kernel.money import rate_of_fen, split_fen
from orders.models import Account, LedgerTransfer, Settlement
from orders.models.settlement import AMOUNTS
from orders.services.ledger import ASSETS, MAY_BE_NEGATIVE, OWNED, POSTING_TABLE, Posting
from orders.services.settlement_lines import Line, amounts_of, postings_of, row_of
from vouchers.settlement import Bearer, Division, Fault, Paid, SettlementRule, divide, keep, take_back

Kind, Source = LedgerTransfer.Kind, Settlement.Source
BRAND = UUID(int=1)
ENTITIES = (UUID(int=2), UUID(int=3), None)
PROMOTERS = (UUID(int=4), UUID(int=5), None)
STORES = (UUID(int=6), UUID(int=7))
FIRST_DAY = date(2026, 6, 1)

RULES = st.builds(
    SettlementRule,
    share_bps=st.integers(0, 10_000),
    per_use_fen=st.none() | st.integers(0, 2_000),
    floor_fen=st.integers(0, 300),
    cap_fen=st.none() | st.integers(300, 3_000),
    subsidy_fen=st.integers(0, 300),
    fee_bps=st.integers(0, 10_000),
    platform_bps=st.integers(0, 10_000),
    promoter_by=st.sampled_from(Bearer),
    provider_by=st.sampled_from(Bearer),
    platform_by=st.sampled_from(Bearer),
    merchant_discount_by=st.sampled_from(Bearer),
)
FEN = st.integers(1, 3_000)
NUMBER = st.integers(0, 1_000)
BPS = st.integers(0, 5_000)


@dataclass
class Use:
    """A use that was sold, granted or sold by a platform, and what became of it."""

    source: str
    fen: int
    rule: SettlementRule
    promoter: UUID | None
    rates: tuple[int, int]
    platform_parts: tuple[int, int, int] = (0, 0, 0)
    state: str = "paid"
    redemption: UUID = field(default_factory=uuid4)
    store: UUID = STORES[0]
    entity: UUID | None = None
    day: date = FIRST_DAY
    division: Division | None = None
    refunded_fen: int = 0


class MoneyMachine(RuleBasedStateMachine):
    """One brand's money; every step leaves every invariant true."""

    def __init__(self) -> None:
        super().__init__()
        self.balances: Counter[tuple[Account.Kind, str]] = Counter()
        self.posted: set[tuple[str, UUID, str]] = set()
        self.uses: list[Use] = []
        self.extras: list[tuple[str, UUID, Use, int]] = []
        self.lines: list[dict[str, object]] = []
        self.statements: defaultdict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
        self.closed: dict[date, dict[tuple[object, ...], dict[str, int]]] = {}
        self.today, self.open_from = FIRST_DAY, FIRST_DAY

    # --- acts --------------------------------------------------------------------------------------

    @rule(total=FEN, quantity=st.integers(1, 3), settles=RULES, promoter=st.sampled_from(PROMOTERS), p=BPS, v=BPS)
    def sell(self, total: int, quantity: int, settles: SettlementRule, promoter: UUID | None, p: int, v: int) -> None:
        self._post([Posting(Kind.CAPTURE, BRAND, total, "payment", uuid4(), owner="sandbox")])
        for fen in split_fen(total, [1] * quantity):
            self.uses.append(Use("purchase", fen, settles, promoter, (p, v) if promoter else (0, 0)))

    @rule(settles=RULES)
    def grant(self, settles: SettlementRule) -> None:
        self.uses.append(Use("grant", 0, settles, None, (0, 0), state="issued"))

    @rule(settles=RULES, customer=st.integers(0, 2_000), platform=st.integers(0, 500), merchant=st.integers(0, 500))
    def platform_sells(self, settles: SettlementRule, customer: int, platform: int, merchant: int) -> None:
        parts = (customer, platform, merchant)
        self.uses.append(Use("platform", customer + platform, settles, None, (0, 0), parts, state="issued"))

    @rule(n=NUMBER)
    def issue(self, n: int) -> None:
        if use := self._any("paid", n):
            use.state = "issued"
            self._post([Posting(Kind.ISSUE, BRAND, use.fen, "purchase", uuid4())])

    @rule(n=NUMBER, store=st.sampled_from(STORES), entity=st.sampled_from(ENTITIES))
    def redeem(self, n: int, store: UUID, entity: UUID | None) -> None:
        if use := self._any("issued", n):
            use.state, use.redemption, use.store, use.entity, use.day = "redeemed", uuid4(), store, entity, self.today
            self._post(self._redeemed(use, Kind.REDEMPTION, Kind.PLATFORM_REDEMPTION, Kind.PLATFORM_SUBSIDY))

    @rule(n=NUMBER)
    def undo(self, n: int) -> None:
        if use := self._any("redeemed", n):
            use.state = "issued"
            self._post(self._redeemed(use, Kind.REVERSAL, Kind.PLATFORM_REVERSAL, Kind.PLATFORM_SUBSIDY_BACK))
            for way, key, of, fen in [extra for extra in self.extras if extra[2] is use]:
                self.extras.remove((way, key, of, fen))
                kind = Kind.SURCHARGE_BACK_AT_TILL if way == "till" else Kind.SURCHARGE_REFUND
                source = "surcharge" if way == "till" else "refund"
                self._post([Posting(kind, BRAND, fen, source, key)])

    @rule(n=NUMBER)
    def refund(self, n: int) -> None:
        use = self._any("issued", n)
        if use and use.source == "purchase":
            use.state, key = "refunded", uuid4()
            self._post(
                [
                    Posting(Kind.REFUND_UNUSED, BRAND, use.fen, "refund", key),
                    Posting(Kind.REFUND_PAID, BRAND, use.fen, "refund", key, owner="sandbox"),
                ]
            )

    @rule(n=NUMBER, fen=FEN, way=st.sampled_from(["till", "provider", "order"]))
    def pay_on_top(self, n: int, fen: int, way: str) -> None:
        if use := self._any("redeemed", n):
            key = uuid4()
            kind, source, owner = {
                "till": (Kind.SURCHARGE_AT_TILL, "surcharge", ""),
                "provider": (Kind.SURCHARGE, "surcharge", "sandbox"),
                "order": (Kind.ORDER_CAPTURE, "payment", "sandbox"),
            }[way]
            self._post([Posting(kind, BRAND, fen, source, key, owner=owner)])
            if way == "order":  # its cash is the order's, whose uses are undone by it alone
                self._book(self._on_top(Source.STORE_ORDER, uuid4(), use, fen, way))
            else:
                self.extras.append((way, key, use, fen))

    @rule(n=NUMBER)
    def settle(self, n: int) -> None:
        use = self._any("redeemed", n)
        if use is None:
            return
        use.state = "settled"
        customer, platform, merchant = use.platform_parts
        paid = Paid(use.fen, merchant, *use.rates, is_platforms=use.source == "platform")
        assert use.source != "platform" or use.fen == customer + platform
        use.division = divide(paid, use.rule) if use.entity else keep(paid, use.rule)
        self._book(self._line(use, Source.REDEMPTION, use.redemption, use.division, use.day))
        for way, key, of, fen in [extra for extra in self.extras if extra[2] is use]:
            self.extras.remove((way, key, of, fen))
            self._book(self._on_top(Source.SURCHARGE, key, use, fen, way))

    @rule(n=NUMBER, part=FEN, fault=st.sampled_from(Fault))
    def refund_after_use(self, n: int, part: int, fault: Fault) -> None:
        use = self._any("settled", n)
        if use is None or use.source != "purchase" or use.refunded_fen == use.fen:
            return
        assert use.division is not None
        fen = min(part, use.fen - use.refunded_fen)
        at_fault = fault if use.entity or fault != Fault.STORE else Fault.BRAND
        taken = take_back(use.division, use.rule, before_fen=use.refunded_fen, refund_fen=fen, fault=at_fault)
        use.refunded_fen += fen
        key = uuid4()
        self._book(self._line(use, Source.AFTER_USE, key, taken, self.today))
        self._post([Posting(Kind.AFTER_USE_REFUND, BRAND, fen, "refund", key)])

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.today += timedelta(days=days)

    @precondition(lambda self: self.today >= _following(self.open_from))
    @rule()
    def close_month(self) -> None:
        until = _following(self.open_from)
        self.closed[until] = {
            key: dict(sums)
            for key, sums in self.statements.items()
            if self.open_from <= key[2] < until  # type: ignore[operator]
        }
        self.open_from = until

    # --- what must hold ----------------------------------------------------------------------------

    @invariant()
    def the_ledger_is_balanced(self) -> None:
        assert sum(self.balances.values()) == 0
        for (kind, _), fen in self.balances.items():
            assert fen >= 0 or kind in MAY_BE_NEGATIVE
            assert fen <= 0 or kind not in ASSETS

    @invariant()
    def everybodys_lines_are_his_account(self) -> None:
        owed: Counter[tuple[Account.Kind, str]] = Counter()
        for line in self.lines:
            owed[Account.Kind.BRAND_SHARE, ""] += int(str(line["brand_fen"]))
            entity, promoter = str(line["entity_id"] or ""), str(line["promoter_id"] or "")
            owed[Account.Kind.ENTITY_PAYABLE, entity] += int(str(line["entity_fen"])) - int(str(line["till_fen"]))
            owed[Account.Kind.PROMOTER_PAYABLE, promoter] += int(str(line["promoter_fen"]))
            owed[Account.Kind.AGENCY_PAYABLE, promoter] += int(str(line["provider_fen"]))
        settled_kinds = {
            Account.Kind.BRAND_SHARE,
            Account.Kind.ENTITY_PAYABLE,
            Account.Kind.PROMOTER_PAYABLE,
            Account.Kind.AGENCY_PAYABLE,
        }
        booked = {key: fen for key, fen in self.balances.items() if key[0] in settled_kinds and fen}
        assert booked == {key: fen for key, fen in owed.items() if fen}

    @invariant()
    def what_waits_is_what_was_drunk_and_not_settled(self) -> None:
        by_state: Counter[str] = Counter()
        for use in self.uses:
            by_state[f"{use.source} {use.state}"] += use.fen
        assert self.balances[Account.Kind.REDEEMED, ""] == (
            by_state["purchase redeemed"] + by_state["platform redeemed"]
        )
        assert self.balances[Account.Kind.VOUCHER_LIABILITY, ""] == by_state["purchase issued"]
        assert self.balances[Account.Kind.PREPAID_UNISSUED, ""] == by_state["purchase paid"]
        assert self.balances[Account.Kind.SURCHARGES, ""] == sum(extra[3] for extra in self.extras)
        assert self.balances[Account.Kind.STORE_ORDER_CASH, ""] == 0

    @invariant()
    def a_closed_month_never_changes(self) -> None:
        for until, frozen in self.closed.items():
            since = _month_before(until)
            now = {key: dict(sums) for key, sums in self.statements.items() if since <= key[2] < until}  # type: ignore[operator]
            assert now == frozen

    # --- how ---------------------------------------------------------------------------------------

    def _any(self, state: str, n: int) -> Use | None:
        found = [use for use in self.uses if use.state == state]
        return found[n % len(found)] if found else None

    def _post(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            if posting.amount_fen == 0:
                continue
            wanted = POSTING_TABLE[posting.kind]
            assert posting.amount_fen > 0
            assert posting.source_kind == wanted.source_kind
            key = (posting.source_kind, posting.source_id, posting.kind.value)
            assert key not in self.posted, "transfer_is_posted_once"
            self.posted.add(key)
            for account, sign in ((wanted.debit, -1), (wanted.credit, 1)):
                assert posting.owner or account not in OWNED, "name the owner"
                self.balances[account, posting.owner if account in OWNED else ""] += sign * posting.amount_fen

    def _redeemed(self, use: Use, own: Kind, customers: Kind, platforms: Kind) -> list[Posting]:
        if use.source == "platform":
            customer, platform, _ = use.platform_parts
            return [
                Posting(customers, BRAND, customer, "redemption", use.redemption, owner="douyin"),
                Posting(platforms, BRAND, platform, "redemption", use.redemption, owner="douyin"),
            ]
        return [Posting(own, BRAND, use.fen, "redemption", use.redemption)]

    def _line(self, use: Use, source: Source, key: UUID, division: Division, day: date) -> Line:
        return Line(
            id=key,
            brand_id=BRAND,
            source_kind=source,
            store_id=use.store,
            entity_id=use.entity,
            customer_id=BRAND,
            business_date=day,
            division=division,
            promoter_id=use.promoter,
            platform="douyin" if use.source == "platform" else "",
        )

    def _on_top(self, source: Source, key: UUID, use: Use, fen: int, way: str) -> Line:
        share = fen if use.entity else 0
        division = Division(fen, share, 0, rate_of_fen(share, 500), 0, 0, 0, 0)
        line = self._line(use, source, key, division, use.day)
        kept = fen if way == "till" and use.entity else 0
        return Line(**{**{name: getattr(line, name) for name in Line.__dataclass_fields__}, "till_fen": kept})

    def _book(self, line: Line) -> None:
        row = row_of(line, booked_date=max(line.business_date, self.open_from))
        row |= zip(AMOUNTS, amounts_of(line), strict=True)
        assert row["paid_fen"] == sum(
            row[name] for name in ("entity_fen", "brand_fen", "promoter_fen", "provider_fen", "platform_fen")
        )
        self.lines.append(row)
        statement = self.statements[row["store_id"], row["entity_id"], row["booked_date"]]
        statement["lines"] += 1
        for name in AMOUNTS:
            statement[name] += row[name]
        self._post(postings_of(line))


def _following(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _month_before(day: date) -> date:
    return (day - timedelta(days=1)).replace(day=1)


def run(*, examples: int, steps: int, derandomize: bool = False, made_small: bool = True) -> None:
    """Play so many sequences of so many acts, the same at each run if asked; raises what broke, made small if asked."""
    run_state_machine_as_test(
        MoneyMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=derandomize,
            phases=[Phase.generate, *([Phase.shrink] if made_small else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )
