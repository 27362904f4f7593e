"""Bills and differences over HTTP, as the finance department meets them; and the command beside it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from config.accounts import tokens
from orders.models import BillDifference, BillFile
from stores.models import Brand
from tests import factories
from tests.orders import billed
from tests.orders.billed import DAY, Till
from tests.orders.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(provider: FakeProvider) -> Till:
    till = billed.till(provider, factories.brand(slug="qingyu"))
    till.sell(2)
    return till


def finance(brand: Brand) -> dict[str, str]:
    user_id = factories.staff(brand, role="finance").user_id
    return {"Authorization": f"Bearer {tokens.sign_staff(user_id=user_id, at=datetime.now(UTC)).text}"}


def post(path: str, headers: dict[str, str], **body: Any) -> Any:
    return Client().post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def get(path: str, headers: dict[str, str]) -> Any:
    return Client().get(f"/api/v1/{path}", headers=headers).json()


def upload(file: bytes, headers: dict[str, str]) -> Any:
    return Client().post(f"/api/v1/bills?bill_date={DAY}", file, content_type="text/csv", headers=headers)


def test_a_day_from_its_bill_to_its_close(till: Till) -> None:
    headers = finance(till.brand)
    file = till.file(extra=1.0)

    taken, again = upload(file, headers), upload(file, headers)

    assert (taken.status_code, again.status_code) == (201, 200)
    assert taken.json() == again.json()
    bill = taken.json()["bill"]
    assert (bill["lines"], bill["matched"], bill["open_differences"]) == (4, 2, 2)
    assert taken.json()["found"] == {"missing_here": 2}
    assert get(f"bills/{bill['id']}", headers) == bill == get("bills", headers)["items"][0]

    waiting = get(f"bill-differences?open=true&bill={bill['id']}&kind=missing_here", headers)["items"]
    assert post("day-closes", headers, bill_date=str(DAY)).json()["error"]["code"] == "day_not_explained"
    for difference in waiting:
        path = f"bill-differences/{difference['id']}/explanation"
        assert post(path, headers, reason="测试流水").json()["outcome"] == "explained"
        assert post(path, headers, reason="别的").json()["error"]["code"] == "difference_closed"
    assert get("bill-differences?open=true", headers)["items"] == []

    closed = post("day-closes", headers, bill_date=str(DAY))
    assert (closed.status_code, post("day-closes", headers, bill_date=str(DAY)).status_code) == (201, 200)
    assert get("day-closes", headers)["items"] == [closed.json()]
    assert upload(till.file(), headers).json()["error"]["code"] == "day_is_closed"


def test_a_lost_capture_is_booked(till: Till) -> None:
    headers = finance(till.brand)
    till.sell(told=False)
    upload(till.file(), headers)

    (difference,) = get("bill-differences", headers)["items"]
    booked = post(f"bill-differences/{difference['id']}/booking", headers, reason="补记")

    assert (booked.status_code, booked.json()["outcome"], booked.json()["reason"]) == (200, "booked", "补记")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "list_empty"),
        (b"x", "bill_columns_missing"),
        (b"\xff\xfe\x00", "bill_empty"),
        ("交易时间,金额\n".encode("gbk"), "bill_columns_missing"),
    ],
)
def test_what_is_no_bill_is_said_so(till: Till, file: bytes, code: str) -> None:
    answer = upload(file, finance(till.brand))

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_bad_lines_are_told_by_their_line(till: Till) -> None:
    answer = upload(till.file().replace(b"`SUCCESS", b"`USERPAYING"), finance(till.brand))

    details = answer.json()["error"]["details"]
    assert (answer.status_code, details["count"]) == (422, 2)
    assert details["problems"][0] == {"line": 2, "code": "state_unknown", "column": "交易状态", "value": "USERPAYING"}
    assert not BillFile.objects.exists()


def test_the_command_takes_a_file_and_says_what_it_came_to(
    till: Till, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bill.csv"
    file.write_bytes(till.file(missing=1.0))

    call_command("take_bill", file, date=DAY)

    said = capsys.readouterr().out
    assert "lines    0: 0 agree, 0 of other brands; 2 known to us\n" in said
    assert "differs  2 missing_there\n" in said
    assert BillDifference.objects.count() == 2


def test_the_command_reports_the_lines_it_cannot_read(till: Till, tmp_path: Path) -> None:
    file, report = tmp_path / "bill.csv", tmp_path / "report.csv"
    file.write_bytes(till.file().replace(b"`0.06000", b"`=1+1"))

    with pytest.raises(CommandError, match="2 lines cannot be read"):
        call_command("take_bill", file, date=DAY, report=report)

    assert "2,amount_unreadable,手续费,'=1+1" in report.read_text()
    file.write_bytes(b"")
    with pytest.raises(CommandError, match="bill_empty"):
        call_command("take_bill", file, date=DAY)
