"""The counter over HTTP: what clerks may see and do, and what they hear."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts.models import User
from config.kernel import limits
from config.kernel.limits import Limit
from livestream.lane import redeeming
from stores.models import Store
from tests import factories
from tests.vouchers import granted
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, as_staff, error_of, get, post
from vouchers import qr
from vouchers.api import misses
from vouchers.api.counter import RedeemAnswer
from vouchers.models import Redemption, Voucher

TODAY = datetime.now(UTC)


def bought(counter: Counter, **fields: Any) -> Voucher:
    return counter.voucher(fields.pop("terms", None), bought_at=TODAY, **fields)


def at_store(counter: Counter, path: str = "") -> str:
    return f"stores/{counter.store.public_id}/redemptions{path}"


@pytest.fixture(autouse=True)
def _own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test counts misses under names of its own."""
    for name in ("OF_CLERK", "OF_ADDRESS"):
        limit: Limit = getattr(misses, name)
        fresh = Limit(f"{limit.name}_{uuid4().hex}", limit.times, limit.seconds, limit.times_alone)
        monkeypatch.setattr(misses, name, fresh)


class TestRedeem:
    def test_it_prints_what_was_redeemed_and_a_repeat_is_a_200(self, counter: Counter) -> None:
        voucher, key = bought(counter, paid_fen=1_990), uuid4()

        first = post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]}, key=key)
        again = post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]}, key=key)

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        redemption = Redemption.objects.get()
        assert first.json() == {
            "request": redemption.request.public_id,
            "store": counter.store.public_id,
            "bill_fen": None,
            "redemptions": [
                {
                    "id": redemption.public_id,
                    "voucher": voucher.public_id,
                    "code": f"••••••••{voucher.code[-4:]}",
                    "title": "20 元代金券",
                    "serial": 1,
                    "uses_left": 0,
                    "amount_fen": 1_990,
                    "discount_fen": None,
                    "pays_difference": False,
                    "redeemed_at": redemption.redeemed_at.isoformat().replace("+00:00", "Z"),
                    "reversible_until": (redemption.redeemed_at + timedelta(hours=1))
                    .isoformat()
                    .replace("+00:00", "Z"),
                    "reversed_at": None,
                }
            ],
        }

    def test_the_lane_answers_the_same(self, counter: Counter) -> None:
        # msgspec and Django REST Framework write times alike; here they are compared before that.
        done = counter.redeem(bought(counter).code, bought(counter).code, at=TODAY)

        by_site, by_lane = RedeemAnswer(done).data, redeeming._answer(done, counter.store.public_id)

        assert by_site.keys() == by_lane.keys()
        assert [use.keys() for use in by_site["redemptions"]] == [use.keys() for use in by_lane["redemptions"]]
        assert {name: by_site[name] for name in ("request", "store", "bill_fen")} == {
            name: by_lane[name] for name in ("request", "store", "bill_fen")
        }

    def test_a_refusal_says_who_was_first(self, counter: Counter) -> None:
        voucher = bought(counter)
        post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]})

        answer = post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]})

        assert error_of(answer) == (409, "voucher_already_redeemed")
        assert answer.json()["error"]["details"]["store_name"] == counter.store.name

    def test_it_takes_a_key(self, counter: Counter) -> None:
        answer = Client().post(
            f"/api/v1/{at_store(counter)}",
            {"codes": [bought(counter).code]},
            content_type="application/json",
            headers=as_staff(counter.clerk),
        )

        assert error_of(answer) == (422, "idempotency_key_required")
        assert not Redemption.objects.exists()

    @pytest.mark.parametrize("who", ["stranger", "customer", "nobody"])
    def test_only_those_who_work_there_redeem(self, counter: Counter, who: str) -> None:
        voucher = bought(counter)
        headers = {
            "stranger": lambda: as_staff(factories.user()),
            "customer": lambda: as_customer(factories.customer(counter.brand)),
            "nobody": dict,
        }[who]()

        answer = post(at_store(counter), headers, {"codes": [voucher.code]})

        expected = {
            "stranger": (404, "clerk_not_at_store"),
            "customer": (403, "not_allowed"),
            "nobody": (401, "not_signed_in"),
        }
        assert error_of(answer) == expected[who]
        assert not Redemption.objects.exists()

    def test_a_paused_store_redeems_nothing(self, counter: Counter) -> None:
        Store.objects.filter(pk=counter.store.pk).update(status="paused")

        answer = post(at_store(counter), as_staff(counter.clerk), {"codes": [bought(counter).code]})

        assert error_of(answer) == (409, "store_paused")


class TestPrepare:
    def ask(self, counter: Counter, **body: Any) -> Any:
        return post(at_store(counter, "/prepare"), as_staff(counter.clerk), body)

    def test_it_tells_what_is_usable_and_why_the_rest_is_not(self, counter: Counter) -> None:
        good, used = bought(counter), bought(counter)
        post(at_store(counter), as_staff(counter.clerk), {"codes": [used.code]})
        elsewhere = bought(
            counter, terms=counter.terms(store_scope={"stores": [factories.store(counter.brand).public_id]})
        )

        answer = self.ask(counter, codes=[good.code, used.code, elsewhere.code, "000000000000", good.code])

        told = [
            (one["voucher"], one["is_usable"], (one["refusal"] or {}).get("code")) for one in answer.json()["vouchers"]
        ]
        assert told == [
            (good.public_id, True, None),
            (used.public_id, False, "voucher_already_redeemed"),
            (elsewhere.public_id, False, "wrong_store"),
            (None, False, "voucher_not_found"),
        ]
        assert [one["code"][-4:] for one in answer.json()["vouchers"]] == [
            good.code[-4:],
            used.code[-4:],
            elsewhere.code[-4:],
            "0000",
        ]
        assert answer.json()["vouchers"][0]["code"] == good.code
        assert used.code not in answer.content.decode()
        assert "nearest" in answer.json()["vouchers"][2]["refusal"]["details"]

    def test_it_changes_nothing(self, counter: Counter) -> None:
        voucher = bought(counter)

        self.ask(counter, codes=[voucher.code])

        voucher.refresh_from_db()
        assert (voucher.status, Redemption.objects.count()) == ("issued", 0)

    def test_a_voucher_that_only_lacks_the_bill_is_usable_and_says_so(self, counter: Counter) -> None:
        voucher = bought(counter, terms=counter.terms(min_spend_fen=5_000))

        [unsaid] = self.ask(counter, codes=[voucher.code]).json()["vouchers"]
        [too_little] = self.ask(counter, codes=[voucher.code], bill_fen=4_999).json()["vouchers"]

        assert (unsaid["is_usable"], unsaid["needs_bill"], unsaid["min_spend_fen"]) == (True, True, 5_000)
        assert too_little["refusal"]["code"] == "min_spend_not_reached"

    def test_a_qr_shows_its_voucher_first_and_then_those_bought_with_it(self, counter: Counter) -> None:
        customer = factories.customer(counter.brand)
        together = counter.vouchers(count=3, customer=customer, bought_at=TODAY)
        bought(counter, customer=customer)  # another purchase of hers stays her own affair
        token = qr.token_for(brand_id=counter.brand.id, code=together[1].code, at=datetime.now(UTC))

        answer = self.ask(counter, qr=token.text)

        shown = [one["code"] for one in answer.json()["vouchers"]]
        assert shown == [together[1].code, together[0].code, together[2].code]

    def test_a_granted_vouchers_qr_shows_nobody_elses_of_the_same_batch(self, counter: Counter) -> None:
        hers, theirs = factories.customer(counter.brand), factories.customer(counter.brand)
        given = granted.grant(counter.terms(), granted.to(hers, theirs), per_customer=2, at=TODAY)
        granted.issue_all(at=TODAY)
        own = [voucher for voucher in granted.vouchers_of(given) if voucher.customer_id == hers.id]
        token = qr.token_for(brand_id=counter.brand.id, code=own[0].code, at=datetime.now(UTC))

        answer = self.ask(counter, qr=token.text)

        assert [one["code"] for one in answer.json()["vouchers"]] == [voucher.code for voucher in own]

    def test_an_old_qr_and_a_foreign_one_are_told_apart(self, counter: Counter) -> None:
        code = bought(counter).code
        old = qr.token_for(brand_id=counter.brand.id, code=code, at=datetime.now(UTC) - timedelta(minutes=2))

        assert error_of(self.ask(counter, qr=old.text)) == (409, "qr_expired")
        assert error_of(self.ask(counter, qr="WIFI:S:tea;;")) == (422, "qr_not_ours")

    @pytest.mark.parametrize("body", [{}, {"codes": ["1"], "qr": "x"}, {"codes": []}, {"codes": ["1"] * 11}])
    def test_it_takes_codes_or_a_qr(self, counter: Counter, body: dict[str, Any]) -> None:
        assert error_of(self.ask(counter, **body)) == (422, "malformed_request")

    def test_where_she_does_not_work_there_is_no_store(self, counter: Counter) -> None:
        answer = post(at_store(counter, "/prepare"), as_staff(factories.user()), {"codes": ["1"]})

        assert error_of(answer) == (404, "store_not_found")


class TestGuessing:
    def test_misses_run_out_and_hits_are_free(self, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(misses, "OF_CLERK", Limit(f"t{uuid4().hex}", times=3, seconds=600, times_alone=3))
        clerk = as_staff(counter.clerk)
        for _ in range(5):
            assert post(at_store(counter, "/prepare"), clerk, {"codes": [bought(counter).code]}).status_code == 200

        assert post(at_store(counter, "/prepare"), clerk, {"codes": ["000000000000", "1"]}).status_code == 200
        assert error_of(post(at_store(counter), clerk, {"codes": ["000000000000"]})) == (404, "voucher_not_found")

        for path in ("", "/prepare"):
            refused = post(at_store(counter, path), clerk, {"codes": [bought(counter).code]})
            assert error_of(refused) == (429, "too_many_requests")
            assert int(refused.headers["Retry-After"]) > 0

    def test_another_clerk_at_the_same_address_has_her_own(
        self, counter: Counter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(misses, "OF_CLERK", Limit(f"t{uuid4().hex}", times=1, seconds=600, times_alone=1))
        colleague: User = factories.staff(counter.brand, store=counter.store).user
        post(at_store(counter), as_staff(counter.clerk), {"codes": ["1"]})

        assert post(at_store(counter), as_staff(counter.clerk), {"codes": [bought(counter).code]}).status_code == 429
        assert post(at_store(counter), as_staff(colleague), {"codes": [bought(counter).code]}).status_code == 201

    def test_the_address_is_counted_too(self, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(misses, "OF_ADDRESS", Limit(f"t{uuid4().hex}", times=1, seconds=600, times_alone=1))
        colleague: User = factories.staff(counter.brand, store=counter.store).user
        post(at_store(counter), as_staff(counter.clerk), {"codes": ["1"]})

        assert post(at_store(counter), as_staff(colleague), {"codes": [bought(counter).code]}).status_code == 429
        assert limits.check((misses.OF_ADDRESS, "elsewhere")).left == 1


class TestList:
    def test_a_store_sees_its_business_day_newest_first_and_others_do_not(self, counter: Counter) -> None:
        vouchers = [bought(counter) for _ in range(3)]
        for voucher in vouchers:
            post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]})

        first = get(at_store(counter), as_staff(counter.clerk), limit=2).json()
        rest = get(at_store(counter), as_staff(counter.clerk), limit=2, cursor=first["next"]).json()

        shown = [item["voucher"] for item in (*first["items"], *rest["items"])]
        assert shown == [voucher.public_id for voucher in reversed(vouchers)]
        assert rest["next"] is None
        assert vouchers[0].code not in str(rest)
        assert get(at_store(counter), as_staff(counter.clerk), date="2020-01-01").json()["items"] == []
        assert error_of(get(at_store(counter), as_staff(factories.user()))) == (404, "store_not_found")


class TestReversal:
    def test_it_gives_the_use_back_once(self, counter: Counter) -> None:
        voucher, key = bought(counter), uuid4()
        done = post(at_store(counter), as_staff(counter.clerk), {"codes": [voucher.code]}).json()
        path = f"redemptions/{done['redemptions'][0]['id']}/reversal"

        first = post(path, as_staff(counter.clerk), key=key)
        again = post(path, as_staff(counter.clerk), key=key)
        other = post(path, as_staff(counter.clerk))

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert (first.json()["voucher"], first.json()["uses_left"]) == (voucher.public_id, 1)
        assert error_of(other) == (409, "redemption_already_reversed")

    def test_strangers_see_no_redemption(self, counter: Counter) -> None:
        done = post(at_store(counter), as_staff(counter.clerk), {"codes": [bought(counter).code]}).json()

        answer = post(f"redemptions/{done['redemptions'][0]['id']}/reversal", as_staff(factories.user()))

        assert error_of(answer) == (404, "redemption_not_found")
