"""A clerk with a platform's voucher, over HTTP: shown beside our own, redeemed, waiting, refused, undone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.limits import Limit
from config.kernel.models import AuditEntry
from tests import factories
from tests.vouchers import counters, fake_platform, http
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers.api import misses
from vouchers.issuers.interface import Certificate
from vouchers.models import IssuerAccount, IssuerDeal, Voucher
from vouchers.services import issuer_asking

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


@pytest.fixture
def platform(counter: Counter) -> Iterator[FakePlatform]:
    with fake_platform.connected(FakePlatform(clock=datetime.now(UTC))) as platform:
        fake_platform.honoured_at(counter.store, platform)
        yield platform


@pytest.fixture
def who(counter: Counter) -> dict[str, str]:
    return http.as_staff(counter.clerk)


def sell(platform: FakePlatform) -> Certificate:
    return platform.sell(valid_until=datetime.now(UTC) + timedelta(days=9))


def redemptions(counter: Counter) -> str:
    return f"stores/{counter.store.public_id}/redemptions"


def test_it_is_shown_beside_our_own(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold, own = sell(platform), counter.voucher(bought_at=datetime.now(UTC))

    answer = http.post(f"{redemptions(counter)}/prepare", who, {"codes": [own.code, sold.code]})

    shown = answer.json()["vouchers"]
    assert [(one["issuer"], one["code"], one["is_usable"]) for one in shown] == [
        ("own", own.code, True),
        ("douyin", sold.code, True),
    ]


def test_a_platforms_qr_is_read_too(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold = sell(platform)

    known = http.post(f"{redemptions(counter)}/prepare", who, {"qr": f"qr:{sold.order_external_id}"})
    unknown = http.post(f"{redemptions(counter)}/prepare", who, {"qr": "qr:nobody"})

    assert [one["code"] for one in known.json()["vouchers"]] == [sold.code]
    assert http.error_of(unknown) == (422, "qr_not_ours")


def test_a_silent_platform_is_told_apart_from_a_wrong_code(
    counter: Counter, platform: FakePlatform, who: dict[str, str]
) -> None:
    sold = sell(platform)
    prepare = f"{redemptions(counter)}/prepare"
    platform.lose_requests = 1
    [unanswered] = http.post(prepare, who, {"codes": [sold.code]}).json()["vouchers"]
    assert (unanswered["is_usable"], unanswered["refusal"]["code"]) == (False, "issuer_does_not_answer")
    platform.lose_requests = 1
    assert http.error_of(http.post(prepare, who, {"qr": "qr:x"})) == (503, "issuer_does_not_answer")
    assert http.post(prepare, who, {"codes": [sold.code]}).status_code == 200
    platform.lose_requests = 1
    assert http.post(prepare, who, {"codes": [sold.code]}).json()["vouchers"][0]["issuer"] == "douyin"


def test_a_silent_platform_is_waited_for_once_and_the_others_are_shown(
    counter: Counter, platform: FakePlatform, who: dict[str, str]
) -> None:
    sold, known, own = sell(platform), sell(platform), counter.voucher(bought_at=datetime.now(UTC))
    prepare = f"{redemptions(counter)}/prepare"
    http.post(prepare, who, {"codes": [known.code]})
    platform.lose_requests, platform.heard = 99, []

    shown = http.post(prepare, who, {"codes": [own.code, "000000000000", sold.code, known.code]}).json()["vouchers"]

    said = [one["refusal"] and one["refusal"]["code"] for one in shown]
    assert said == [None, "issuer_does_not_answer", "issuer_does_not_answer", None]
    assert len(platform.heard) == 1


def test_a_product_that_no_deal_is_connected_to_is_told_by_itself_and_is_no_miss(
    counter: Counter, platform: FakePlatform, who: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misses, "OF_CLERK", Limit(f"t{uuid4().hex}", times=1, seconds=600, times_alone=1))
    own, strange = counter.voucher(bought_at=datetime.now(UTC)), sell(platform)
    IssuerDeal.objects.all().delete()
    prepare = f"{redemptions(counter)}/prepare"

    for _ in range(2):
        shown = http.post(prepare, who, {"codes": [strange.code, own.code]}).json()["vouchers"]
        assert [one["refusal"] and one["refusal"]["code"] for one in shown] == ["issuer_product_unknown", None]


@pytest.mark.parametrize(
    ("path", "body"), [("", {"codes": ["1"]}), ("/prepare", {"codes": ["1"]}), ("/prepare", {"qr": "1"})]
)
def test_guesses_run_out_while_a_platform_is_silent(
    counter: Counter,
    platform: FakePlatform,
    who: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: dict[str, Any],
) -> None:
    monkeypatch.setattr(misses, "OF_CLERK", Limit(f"t{uuid4().hex}", times=2, seconds=600, times_alone=2))
    platform.lose_requests = 9

    answers = [http.post(redemptions(counter) + path, who, body) for _ in range(3)]

    assert answers[1].status_code != 429
    assert http.error_of(answers[2]) == (429, "too_many_requests")


def test_it_is_redeemed_at_the_same_address(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold, key = sell(platform), uuid4()

    first = http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key)
    again = http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["redemptions"][0]["amount_fen"] == 1_800


@pytest.mark.parametrize(("held", "outcome"), [("holds_for_risk", "pending"), ("lose_answers", "unknown")])
def test_what_is_not_decided_is_202_and_can_be_asked_for(
    counter: Counter, platform: FakePlatform, who: dict[str, str], held: str, outcome: str
) -> None:
    sold, key = sell(platform), uuid4()
    http.post(f"{redemptions(counter)}/prepare", who, {"codes": [sold.code]})
    setattr(platform, held, 1)

    first = http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key)
    again = http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key)

    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.json()["outcome"], first.json()["held_uses"], first.json()["redemptions"]) == (outcome, 1, [])
    second = http.post(redemptions(counter), who, {"codes": [sold.code]})
    assert http.error_of(second) == (409, "voucher_held")
    assert second.json()["error"]["details"]["request"] == first.json()["request"]

    path = f"redemption-requests/{first.json()['request']}"
    assert http.get(path, who).json() == first.json()
    platform.decide(allow=True)
    issuer_asking.ask_due(limit=9, at=datetime.now(UTC) + timedelta(hours=1))
    done = http.get(path, who).json()
    assert (done["outcome"], done["held_uses"], len(done["redemptions"])) == ("done", 0, 1)
    assert http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key).status_code == 200


def test_a_refusal_is_the_platforms_word(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold, key = sell(platform), uuid4()
    platform.refuses = ("2119006", "券转赠中")

    answers = [http.post(redemptions(counter), who, {"codes": [sold.code]}, key=key) for _ in range(2)]

    assert [http.error_of(answer) for answer in answers] == [(409, "refused_by_issuer")] * 2
    assert answers[0].json()["error"]["details"]["reason"] == "券转赠中"


def test_it_is_redeemed_alone(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold, own = sell(platform), counter.voucher(bought_at=datetime.now(UTC))
    http.post(f"{redemptions(counter)}/prepare", who, {"codes": [sold.code]})

    answer = http.post(redemptions(counter), who, {"codes": [own.code, sold.code]})

    assert http.error_of(answer) == (409, "issuer_alone")
    assert Voucher.objects.filter(status="used").count() == 0


def test_a_code_that_nobody_knows_is_still_a_miss(
    counter: Counter, platform: FakePlatform, who: dict[str, str]
) -> None:
    assert http.error_of(http.post(redemptions(counter), who, {"codes": ["123456789012"]})) == (
        404,
        "voucher_not_found",
    )


def test_an_undo_waits_for_the_platform(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    sold, key = sell(platform), uuid4()
    redeemed = http.post(redemptions(counter), who, {"codes": [sold.code]}).json()["redemptions"][0]
    path = f"redemptions/{redeemed['id']}/reversal"
    platform.lose_answers = 1

    waiting = http.post(path, who, key=key)
    issuer_asking.ask_due(limit=9, at=datetime.now(UTC) + timedelta(minutes=1))
    done = http.post(path, who, key=key)

    assert (waiting.status_code, waiting.json()["reversed_at"]) == (202, None)
    assert done.status_code == 200
    assert (done.json()["uses_left"], done.json()["reversed_at"] is None) == (1, False)


def test_nobody_else_sees_a_request(counter: Counter, platform: FakePlatform, who: dict[str, str]) -> None:
    asked = http.post(redemptions(counter), who, {"codes": [sell(platform).code]}).json()["request"]
    stranger = http.as_staff(counters.counter().clerk)

    assert http.error_of(http.get(f"redemption-requests/{asked}", stranger)) == (404, "request_not_found")
    assert http.error_of(http.get(f"redemption-requests/rrq_{'0' * 32}", who)) == (404, "request_not_found")
    assert http.error_of(http.get("redemption-requests/rrq_1", who)) == (404, "malformed_id")


class TestConnecting:
    def test_a_brand_connects_itself_and_its_clerks_redeem(self, counter: Counter) -> None:
        platform = FakePlatform(clock=datetime.now(UTC))
        office = http.as_staff(factories.staff(counter.brand, role="operator").user)
        terms = counter.terms()
        wanted = [
            ("issuers/douyin/account", {"external_id": "7120"}),
            (f"issuers/douyin/stores/{counter.store.public_id}", {"external_id": "poi-1"}),
            (f"issuers/douyin/products/{fake_platform.PRODUCT}", {"terms": terms.public_id}),
        ]

        answers = [http.put(path, office, body) for path, body in wanted for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200] * 6
        assert AuditEntry.objects.filter(act__startswith="issuer.").count() == 3, "the same again changes nothing"
        with fake_platform.connected(platform):
            clerk, sold = http.as_staff(counter.clerk), sell(platform)
            assert http.post(redemptions(counter), clerk, {"codes": [sold.code]}).status_code == 201

    def test_another_account_ends_the_one_before(self, counter: Counter) -> None:
        office = http.as_staff(factories.staff(counter.brand, role="operator").user)
        for account in ("1", "2"):
            http.put("issuers/douyin/account", office, {"external_id": account})

        assert list(IssuerAccount.objects.filter(ended_at=None).values_list("external_id", flat=True)) == ["2"]
        assert IssuerAccount.objects.count() == 2

    def test_a_brand_that_has_left_asks_nobody(self, counter: Counter, platform: FakePlatform) -> None:
        office = http.as_staff(factories.staff(counter.brand, role="operator").user)

        left = http.delete("issuers/douyin/account", office)
        again = http.delete("issuers/douyin/account", office)

        assert (left.status_code, http.error_of(again)) == (204, (404, "issuer_not_there"))
        answer = http.post(redemptions(counter), http.as_staff(counter.clerk), {"codes": [sell(platform).code]})
        assert http.error_of(answer) == (404, "voucher_not_found")
        assert not platform.heard

    def test_a_name_is_one_stores(self, counter: Counter) -> None:
        office = http.as_staff(factories.staff(counter.brand, role="operator").user)
        other = factories.store(counter.brand)
        http.put(f"issuers/douyin/stores/{counter.store.public_id}", office, {"external_id": "poi-1"})
        http.put(f"issuers/douyin/stores/{other.public_id}", office, {"external_id": "poi-2"})

        taken = http.put(f"issuers/douyin/stores/{other.public_id}", office, {"external_id": "poi-1"})

        assert http.error_of(taken) == (409, "issuer_name_taken")

    def test_what_is_refused(self, counter: Counter) -> None:
        office = http.as_staff(factories.staff(counter.brand, role="operator").user)
        clerk, foreign = http.as_staff(counter.clerk), counters.counter()
        product = "issuers/douyin/products/1"

        assert http.error_of(http.put("issuers/own/account", office, {"external_id": "1"})) == (404, "issuer_not_there")
        assert http.error_of(http.put("issuers/douyin/account", clerk, {"external_id": "1"})) == (403, "not_allowed")
        theirs = http.put(product, office, {"terms": foreign.terms().public_id})
        assert http.error_of(theirs) == (404, "terms_not_found")
        store = http.put(f"issuers/douyin/stores/{foreign.store.public_id}", office, {"external_id": "1"})
        assert http.error_of(store) == (404, "store_not_found")
