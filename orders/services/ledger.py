"""
The ledger: which event moves money from which account to which, and the one way to write it down.

docs/ledger.md explains the accounts and carries ``POSTING_TABLE`` as printed by
``manage.py posting_table``. A balance is credits less debits.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from config.kernel.pipeline import as_jsonb, pipelined
from orders.models import Account, LedgerTransfer


@dataclass(frozen=True, slots=True)
class PostingRule:
    """What one kind of transfer does, and which row stands behind each of its transfers."""

    debit: Account.Kind
    credit: Account.Kind
    source_kind: str
    event: str


_ACCOUNT, _KIND = Account.Kind, LedgerTransfer.Kind

POSTING_TABLE: Mapping[LedgerTransfer.Kind, PostingRule] = MappingProxyType(
    {
        _KIND.CAPTURE: PostingRule(
            _ACCOUNT.PROVIDER_CLEARING,
            _ACCOUNT.PREPAID_UNISSUED,
            "payment",
            "a provider captured what a purchase costs",
        ),
        _KIND.UNWANTED_CAPTURE: PostingRule(
            _ACCOUNT.PROVIDER_CLEARING,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "a provider captured what nobody owes: twice, too late, another amount",
        ),
        _KIND.ISSUE: PostingRule(
            _ACCOUNT.PREPAID_UNISSUED,
            _ACCOUNT.VOUCHER_LIABILITY,
            "purchase",
            "the vouchers of a paid purchase were issued",
        ),
        _KIND.REDEMPTION: PostingRule(
            _ACCOUNT.VOUCHER_LIABILITY,
            _ACCOUNT.REDEEMED,
            "redemption",
            "a use was redeemed at a store",
        ),
        _KIND.REVERSAL: PostingRule(
            _ACCOUNT.REDEEMED,
            _ACCOUNT.VOUCHER_LIABILITY,
            "redemption",
            "a redemption was undone: the use is owed again",
        ),
        _KIND.REFUND_UNUSED: PostingRule(
            _ACCOUNT.VOUCHER_LIABILITY,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "a customer gave unused uses back",
        ),
        _KIND.REFUND_EXPIRED: PostingRule(
            _ACCOUNT.VOUCHER_LIABILITY,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "uses expired and the terms give the money back",
        ),
        _KIND.BREAKAGE: PostingRule(
            _ACCOUNT.VOUCHER_LIABILITY,
            _ACCOUNT.BREAKAGE,
            "use_ending",
            "a use expired and the terms keep the money",
        ),
        _KIND.REFUND_PAID: PostingRule(
            _ACCOUNT.REFUNDS_PAYABLE,
            _ACCOUNT.PROVIDER_CLEARING,
            "refund",
            "a provider paid a refund out",
        ),
        _KIND.SURCHARGE: PostingRule(
            _ACCOUNT.PROVIDER_CLEARING,
            _ACCOUNT.SURCHARGES,
            "surcharge",
            "a provider captured what a drink costs beyond its voucher",
        ),
        _KIND.SURCHARGE_AT_TILL: PostingRule(
            _ACCOUNT.TILL,
            _ACCOUNT.SURCHARGES,
            "surcharge",
            "a surcharge was recorded as paid at the store's till",
        ),
        _KIND.SURCHARGE_REFUND: PostingRule(
            _ACCOUNT.SURCHARGES,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "the redemption was undone: a surcharge paid through a provider is owed back",
        ),
        _KIND.SURCHARGE_BACK_AT_TILL: PostingRule(
            _ACCOUNT.SURCHARGES,
            _ACCOUNT.TILL,
            "surcharge",
            "the redemption was undone: the till gave its surcharge back",
        ),
        _KIND.ORDER_CAPTURE: PostingRule(
            _ACCOUNT.PROVIDER_CLEARING,
            _ACCOUNT.STORE_ORDER_CASH,
            "payment",
            "a provider captured what was due of a store order",
        ),
        _KIND.REFUND_ORDER: PostingRule(
            _ACCOUNT.STORE_ORDER_CASH,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "a paid store order was cancelled or rejected",
        ),
        _KIND.PLATFORM_REDEMPTION: PostingRule(
            _ACCOUNT.PLATFORM_RECEIVABLE,
            _ACCOUNT.REDEEMED,
            "redemption",
            "a use that a platform sold was redeemed: what its customer paid there",
        ),
        _KIND.PLATFORM_SUBSIDY: PostingRule(
            _ACCOUNT.PLATFORM_RECEIVABLE,
            _ACCOUNT.REDEEMED,
            "redemption",
            "a use that a platform sold was redeemed: what the platform added",
        ),
        _KIND.PLATFORM_REVERSAL: PostingRule(
            _ACCOUNT.REDEEMED,
            _ACCOUNT.PLATFORM_RECEIVABLE,
            "redemption",
            "a platform's redemption was undone: the customer's part",
        ),
        _KIND.PLATFORM_SUBSIDY_BACK: PostingRule(
            _ACCOUNT.REDEEMED,
            _ACCOUNT.PLATFORM_RECEIVABLE,
            "redemption",
            "a platform's redemption was undone: the platform's part",
        ),
        _KIND.SETTLEMENT: PostingRule(
            _ACCOUNT.REDEEMED,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "a redeemed use settled: what was paid for it is divided",
        ),
        _KIND.SETTLED_SURCHARGE: PostingRule(
            _ACCOUNT.SURCHARGES,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "a surcharge settled",
        ),
        _KIND.SETTLED_ORDER_CASH: PostingRule(
            _ACCOUNT.STORE_ORDER_CASH,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "what was due of a store order settled",
        ),
        _KIND.ENTITY_SHARE: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.ENTITY_PAYABLE,
            "settlement",
            "what the store's entity gets of it",
        ),
        _KIND.ENTITY_CHARGE: PostingRule(
            _ACCOUNT.ENTITY_PAYABLE,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "what the store's entity pays: its fees exceed its share, or a refund is its fault",
        ),
        _KIND.REMAKE_SHARE: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.ENTITY_PAYABLE,
            "settlement",
            "what the store's entity gets for a drink that it made again at the brand's cost",
        ),
        _KIND.TILL_KEPT: PostingRule(
            _ACCOUNT.ENTITY_PAYABLE,
            _ACCOUNT.TILL,
            "settlement",
            "a surcharge paid at the till settled: the store keeps the cash it has",
        ),
        _KIND.PROMOTER_SHARE: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.PROMOTER_PAYABLE,
            "settlement",
            "what the promoter gets of it",
        ),
        _KIND.PROMOTER_BACK: PostingRule(
            _ACCOUNT.PROMOTER_PAYABLE,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "a refund after use: the promoter's part of it comes back",
        ),
        _KIND.AGENCY_SHARE: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.AGENCY_PAYABLE,
            "settlement",
            "what the promoter's service provider gets of it",
        ),
        _KIND.AGENCY_BACK: PostingRule(
            _ACCOUNT.AGENCY_PAYABLE,
            _ACCOUNT.BRAND_SHARE,
            "settlement",
            "a refund after use: the service provider's part of it comes back",
        ),
        _KIND.PLATFORM_FEE: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.PLATFORM_RECEIVABLE,
            "settlement",
            "what the platform that sold it keeps",
        ),
        _KIND.AFTER_USE_REFUND: PostingRule(
            _ACCOUNT.BRAND_SHARE,
            _ACCOUNT.REFUNDS_PAYABLE,
            "refund",
            "money is given back for a use that was drunk and settled",
        ),
        _KIND.PAYOUT: PostingRule(
            _ACCOUNT.ENTITY_PAYABLE,
            _ACCOUNT.PAYOUTS_PENDING,
            "payout",
            "what an entity is owed is on its way to its bank",
        ),
        _KIND.PAYOUT_PAID: PostingRule(
            _ACCOUNT.PAYOUTS_PENDING,
            _ACCOUNT.PAID_OUT,
            "payout",
            "the bank paid an entity",
        ),
        _KIND.PAYOUT_BACK: PostingRule(
            _ACCOUNT.PAYOUTS_PENDING,
            _ACCOUNT.ENTITY_PAYABLE,
            "payout",
            "the bank refused a payout: the entity is owed it again",
        ),
        _KIND.PAYOUT_RETURNED: PostingRule(
            _ACCOUNT.PAID_OUT,
            _ACCOUNT.ENTITY_PAYABLE,
            "payout",
            "what the bank had paid came back days later: the entity is owed it again",
        ),
    }
)
assert set(POSTING_TABLE) == set(LedgerTransfer.Kind), "every kind of transfer has its rule"

PAYABLE = frozenset({Account.Kind.ENTITY_PAYABLE, Account.Kind.PROMOTER_PAYABLE, Account.Kind.AGENCY_PAYABLE})
"""What is owed to a party that settlement pays; its owner is the party's id."""

OWNED = frozenset({Account.Kind.PROVIDER_CLEARING, Account.Kind.PLATFORM_RECEIVABLE}) | PAYABLE
"""Kinds with one account per owner (a provider's or platform's name, a party's id) instead of one per brand."""

ASSETS = frozenset({Account.Kind.PROVIDER_CLEARING, Account.Kind.PLATFORM_RECEIVABLE, Account.Kind.TILL})
"""What a provider holds for the brand, a platform owes it, or lies in its stores' tills: zero or below."""

MAY_BE_NEGATIVE = ASSETS | PAYABLE | {Account.Kind.BRAND_SHARE}
"""
Assets, and those that may be either: an entity owes what was refunded at its fault, a promoter what he got for a
use that was refunded, and a brand's share is below zero where it pays stores more than customers paid.
Every other account stays at 0 or above.
"""

# A row for all sources of one way: a batch has thousands of sources and a handful of ways.
INSERT = """
INSERT INTO orders_ledgertransfer
    (brand_id, debit_id, credit_id, amount_fen, kind, source_kind, source_id, occurred_at)
SELECT brand_id, debit_id, credit_id, amount_fen, kind, source_kind, unnest(sources), %(at)s
FROM jsonb_to_recordset(%(ways)s::jsonb) AS way(
    brand_id uuid, debit_id uuid, credit_id uuid, amount_fen bigint, kind text, source_kind text, sources uuid[])
"""

BALANCE = """
SELECT account.folded_fen + coalesce(
    (SELECT sum(CASE WHEN credit_id = account.id THEN amount_fen ELSE -amount_fen END)
     FROM orders_ledgertransfer
     WHERE folded_at IS NULL AND (credit_id = account.id OR debit_id = account.id)), 0)::bigint
FROM orders_account account WHERE account.id = %s
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """
    One event worth ``amount_fen``; the posting table knows its accounts.

    ``owner`` is the provider's or the platform's name for the kinds that touch its account, else empty.
    """

    kind: LedgerTransfer.Kind
    brand_id: UUID
    amount_fen: int
    source_kind: str
    source_id: UUID
    owner: str = ""


class Way(NamedTuple):
    """What a posting has in common with all that move the same amount between the same accounts."""

    kind: LedgerTransfer.Kind
    brand_id: UUID
    amount_fen: int
    owner: str = ""


AccountKey = tuple[UUID, str, str]

_known_accounts: dict[AccountKey, UUID] = {}
"""Accounts of committed transactions; they are never deleted, so an entry stays right for ever."""


def post(postings: Sequence[Posting], *, at: datetime) -> None:
    """
    Write one transfer for each posting in one statement; a source posts a kind once, twice is an IntegrityError.

    Runs inside the caller's transaction, and last in it: the first posting of a brand creates its
    accounts and holds them until commit.
    """
    sources: defaultdict[Way, list[UUID]] = defaultdict(list)
    for posting in postings:
        source_kind = POSTING_TABLE[posting.kind].source_kind
        assert posting.source_kind == source_kind, f"{posting.kind} is posted for a {source_kind}"
        way = Way(posting.kind, posting.brand_id, posting.amount_fen, posting.owner)
        sources[way].append(posting.source_id)
    post_alike(sources, at=at)


def post_alike(sources: Mapping[Way, Sequence[UUID]], *, at: datetime) -> None:
    """
    ``post`` for thousands: one transfer for each source of each way.

    Runs inside the caller's transaction, and last in it.
    """
    assert connection.in_atomic_block, "money moves in the transaction of the event that moves it"
    if not sources:
        return
    accounts = _accounts_of({(way.brand_id, way.kind, way.owner) for way in sources}, at=at)
    rows = []
    for way, source_ids in sources.items():
        assert way.amount_fen > 0, "callers leave out what is worth nothing"
        rule = POSTING_TABLE[way.kind]
        rows.append(
            {
                "brand_id": way.brand_id,
                "debit_id": accounts[_key(way.brand_id, rule.debit, way.owner)],
                "credit_id": accounts[_key(way.brand_id, rule.credit, way.owner)],
                "amount_fen": way.amount_fen,
                "kind": way.kind,
                "source_kind": rule.source_kind,
                "sources": source_ids,
            }
        )
    with pipelined() as send:
        send(INSERT, {"at": at, "ways": as_jsonb(rows)})


def balance(account: Account) -> int:
    """Credits less debits of the account in fen, folded and not folded yet, read in one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(BALANCE, [account.pk])
        (fen,) = cursor.fetchone()
    return int(fen)


def row_source(id: int) -> UUID:
    """The ``source_id`` of a row with a number for its key: the number, as 128 bits."""
    return UUID(int=id)


def posting_table_markdown() -> str:
    """``POSTING_TABLE`` as docs/ledger.md shows it."""
    lines = ["| kind | when | debit | credit | source |", "|---|---|---|---|---|"]
    lines += [
        f"| `{kind.value}` | {rule.event} | `{rule.debit.value}` | `{rule.credit.value}` | {rule.source_kind} |"
        for kind, rule in POSTING_TABLE.items()
    ]
    return "\n".join(lines)


def _key(brand_id: UUID, kind: Account.Kind, owner: str) -> AccountKey:
    return brand_id, kind.value, owner if kind in OWNED else ""


def _accounts_of(ways: Collection[tuple[UUID, LedgerTransfer.Kind, str]], *, at: datetime) -> dict[AccountKey, UUID]:
    """The ids of all accounts between which money goes these ways; missing ones are created."""
    needed = {
        _key(brand, account, owner)
        for brand, kind, owner in ways
        for account in (POSTING_TABLE[kind].debit, POSTING_TABLE[kind].credit)
    }
    found = {key: _known_accounts[key] for key in needed if key in _known_accounts}
    if len(found) < len(needed):
        found = _read(needed)
        # In key order, so that two first postings of a brand wait for each other instead of deadlocking.
        if missing := sorted(needed - found.keys()):
            assert all(owner for _, kind, owner in missing if kind in OWNED), "name the provider or platform as owner"
            Account.objects.bulk_create(
                [Account(brand_id=brand, kind=kind, owner=owner, created_at=at) for brand, kind, owner in missing],
                ignore_conflicts=True,
            )
            found = _read(needed)
        # Only a commit makes an account that lasts.
        committed = dict(found)
        transaction.on_commit(lambda: _known_accounts.update(committed))
    return found


def _read(keys: set[AccountKey]) -> dict[AccountKey, UUID]:
    rows = Account.objects.filter(brand_id__in={brand for brand, _, _ in keys})
    return {
        (brand, kind, owner): account
        for brand, kind, owner, account in rows.values_list("brand_id", "kind", "owner", "id")
        if (brand, kind, owner) in keys
    }
