"""``manage.py audit`` as an operator and a script meet it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum

from config.kernel.ids import public
from orders import tasks
from orders.invariants import auditing
from orders.models import LedgerTransfer, Purchase
from tests.orders import world
from tests.orders.world import corrupt
from vouchers.models import Offer

pytestmark = pytest.mark.django_db(transaction=True)


def report(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    call_command("audit", "--json", *options)
    return dict(json.loads(capsys.readouterr().out))


def test_books_that_agree_are_printed_with_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    world.build()

    call_command("audit")

    printed = capsys.readouterr()
    assert "violations: 0" in printed.out
    captures = LedgerTransfer.objects.filter(kind="capture").aggregate(fen=Sum("amount_fen"))
    assert f"captured_fen ¥{captures['fen'] / 100:.2f}  redeemed_fen ¥" in printed.out
    for invariant in ["I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9", "FK"]:
        assert f"✓ {invariant}" in printed.out
        assert f"{invariant:<3} holds" in printed.err, "progress, while it looks"


def test_a_violation_exits_1_and_names_rows(capsys: pytest.CaptureFixture[str]) -> None:
    world.build()
    with transaction.atomic():
        corrupt("UPDATE vouchers_offer SET sold = sold + 1")

    with pytest.raises(SystemExit) as exit_:
        call_command("audit")

    assert exit_.value.code == 1
    printed = capsys.readouterr().out
    assert f"offer_sold_is_its_purchases: {Offer.objects.count()} broken" in printed
    assert any(str(offer_id) in printed for offer_id in Offer.objects.values_list("pk", flat=True))


def test_a_violation_in_json_exits_1_too(capsys: pytest.CaptureFixture[str]) -> None:
    world.build()
    with transaction.atomic():
        corrupt("UPDATE vouchers_voucher SET uses_left = 1 WHERE status = 'used'")

    with pytest.raises(SystemExit) as exit_:
        call_command("audit", "--json")

    assert exit_.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said["violations"] == sum(sum(check["broken"].values()) for check in said["checks"]) > 0


def test_recent_looks_at_what_was_touched_lately(capsys: pytest.CaptureFixture[str]) -> None:
    world.build()

    said = report(capsys, "--recent", "10")

    assert said["scope"] == f"{Purchase.objects.count()} purchases of the last 10 minutes"
    assert said["violations"] == 0
    assert "offers_and_purchases" not in {check["check"] for check in said["checks"]}, "it would scan everything"


def test_a_journal_is_compared_in_the_same_snapshot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    purchase = world.build().redeemed
    said = {"customer": public("cus", purchase.customer_id), "request_id": str(purchase.request_id)}
    file = tmp_path / "journal.jsonl"
    file.write_text(json.dumps({**said, "purchase": purchase.public_id, "quantity": 2, "total_fen": 1_980}))
    [checked] = [c for c in report(capsys, "--acknowledged", str(file))["checks"] if c["check"] == "acknowledged"]
    assert (checked["rows"], checked["broken"]) == (1, {})

    file.write_text(json.dumps({**said, "purchase": purchase.public_id, "quantity": 1, "total_fen": 990}))
    with pytest.raises(SystemExit):
        call_command("audit", "--acknowledged", str(file))


def test_a_journal_that_is_none_is_an_error_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("no json")

    with pytest.raises(CommandError, match="line 1") as error:
        call_command("audit", "--json", "--acknowledged", str(file))

    assert error.value.returncode == 2


def test_an_audit_sees_one_moment_and_cannot_write() -> None:
    with auditing.one_snapshot(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
        assert cursor.fetchone() == ("repeatable read", "on")


def test_the_sweeper_raises_an_alarm_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    world.build()
    caplog.clear()  # the world's own alarms: a surcharge that was paid twice
    tasks.audit_recent()
    assert not caplog.records

    with transaction.atomic():
        corrupt("DELETE FROM orders_ledgertransfer WHERE kind = 'issue'")
    tasks.audit_recent()

    assert any("I6 issue_is_posted is broken" in record.getMessage() for record in caplog.records)
