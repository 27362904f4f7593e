"""Statements as files: CSV as it is read, a workbook by a worker, kept for a day, seen by whose money it is."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client

from config.accounts import tokens
from config.kernel.xlsx_export import MAIN
from orders.models import ExportPiece, Settlement, StatementExport
from orders.queries import statement_files
from orders.services import statement_exports
from stores.models import Store
from tests import factories
from tests.factories import NOW
from tests.orders import settled
from tests.vouchers.counters import Counter

pytestmark = pytest.mark.django_db(transaction=True)

DAY = date(2026, 6, 1)
SPAN = f"since={DAY}&until={DAY + timedelta(days=1)}"


@pytest.fixture
def counter() -> Counter:
    counter = settled.counter()
    Store.objects.filter(pk=counter.store.pk).update(name="=HYPERLINK(1)")
    for _ in range(3):
        settled.settled(counter)
    return counter


def signed_in(counter: Counter, role: str = "finance", **place: Any) -> dict[str, str]:
    user_id = factories.staff(counter.brand, role=role, **place).user_id
    return {"Authorization": f"Bearer {tokens.sign_staff(user_id=user_id, at=datetime.now(UTC)).text}"}


def get(path: str, headers: dict[str, str]) -> Any:
    return Client().get(f"/api/v1/{path}", headers=headers)


def ask(headers: dict[str, str], *, key: Any = None, **body: Any) -> Any:
    asked = {"since": str(DAY), "until": str(DAY + timedelta(days=1)), **body}
    headers = {**headers, "Idempotency-Key": str(key or uuid4())}
    return Client().post("/api/v1/statement-exports", asked, content_type="application/json", headers=headers)


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def rows_of(workbook: bytes) -> list[list[str]]:
    sheet = zipfile.ZipFile(io.BytesIO(workbook)).read("xl/worksheets/sheet1.xml")
    return [["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(sheet).iter(f"{{{MAIN}}}row")]  # noqa: S314 - our own


def test_lines_as_csv_say_where_they_come_from_and_run_nothing(counter: Counter) -> None:
    answer = get(f"statement-lines.csv?{SPAN}", signed_in(counter))

    heading, *rows = csv.reader(io.StringIO(content(answer).decode("utf-8-sig")))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = Settlement.objects.order_by("id")
    assert [row[0] for row in rows] == [line.public_id for line in lines]
    said = dict(zip(heading, rows[0], strict=True))
    assert (said["门店"], said["类型"], said["实付"]) == ("'=HYPERLINK(1)", "核销", "9.70")
    assert sum(float(row[heading.index("主体应得")]) for row in rows) == sum(line.entity_fen for line in lines) / 100


def test_a_workbook_is_asked_for_written_fetched_and_gone(counter: Counter) -> None:
    headers, key = signed_in(counter), uuid4()
    asked, again = ask(headers, key=key), ask(headers, key=key)
    assert (asked.status_code, again.status_code) == (201, 200)
    assert asked.json() == again.json()
    path = f"statement-exports/{asked.json()['id']}"
    assert get(f"{path}/file", headers).json()["error"]["code"] == "export_not_ready"

    now = datetime.now(UTC)
    assert statement_exports.write_due(at=now) == 1
    assert statement_exports.write_due(at=now) == 0

    ready = get(path, headers).json()
    assert (ready["status"], ready["progress_percent"], ready["line_count"]) == ("ready", 100, 3)
    file = content(get(f"{path}/file", headers))
    assert len(file) == ready["size_bytes"]
    heading, *rows = rows_of(file)
    assert heading == list(statement_files.HEADINGS)
    assert [row[0] for row in rows] == [line.public_id for line in Settlement.objects.order_by("id")]
    assert rows[0][6] == "=HYPERLINK(1)"

    assert statement_exports.sweep(at=now + timedelta(days=2)) == 1
    assert not ExportPiece.objects.exists()
    assert get(f"{path}/file", headers).json()["error"]["code"] == "export_expired"


def test_another_span_under_the_same_key_is_refused(counter: Counter) -> None:
    headers, key = signed_in(counter), uuid4()
    ask(headers, key=key)

    assert ask(headers, key=key, until="2026-06-05").json()["error"]["code"] == "idempotency_conflict"


@pytest.mark.parametrize("span", [{"until": str(DAY)}, {"since": "soon"}, {"until": None}, {"day": "2026-06-01"}])
def test_a_span_that_is_none_is_refused(counter: Counter, span: dict[str, Any]) -> None:
    assert ask(signed_in(counter), **span).status_code in (400, 422)


def test_a_file_is_bounded(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed_in(counter)
    monkeypatch.setattr(statement_exports, "LINES_AT_MOST", 2)

    assert ask(headers).json()["error"]["code"] == "export_too_long"
    assert get(f"statement-lines.csv?{SPAN}", headers).json()["error"]["code"] == "export_too_long"


def test_a_brand_keeps_a_few_files_at_a_time(counter: Counter) -> None:
    headers = signed_in(counter)

    answers = [ask(headers).status_code for _ in range(6)]

    assert answers == [201] * 5 + [409]


def test_a_franchisee_has_her_own_lines_and_nobody_else_s(counter: Counter) -> None:
    entity = Settlement.objects.values_list("entity", flat=True)[0]
    other = factories.entity(counter.brand, kind="franchisee")
    hers = signed_in(counter, "franchisee", entity_id=entity)
    stranger = signed_in(counter, "franchisee", entity=other)

    assert len(content(get(f"statement-lines.csv?{SPAN}", hers)).splitlines()) == 4
    assert len(content(get(f"statement-lines.csv?{SPAN}", stranger)).splitlines()) == 1
    whole = ask(signed_in(counter)).json()["id"]
    own = ask(hers).json()["id"]
    assert get(f"statement-exports/{whole}", hers).json()["error"]["code"] == "export_not_found"
    assert get(f"statement-exports/{own}", hers).status_code == 200
    assert get(f"statement-exports/{own}", stranger).status_code == 404


def test_a_worker_that_died_is_followed_by_another_and_finds_its_file_taken(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(signed_in(counter))
    at = datetime.now(UTC)
    keep = statement_exports._keep

    def slowly(export: StatementExport, file: Any, **fields: Any) -> int:
        monkeypatch.setattr(statement_exports, "_keep", keep)
        assert statement_exports.write_due(at=at + statement_exports.LEASE) == 1, "another one, meanwhile"
        return keep(export, file, **fields)

    monkeypatch.setattr(statement_exports, "_keep", slowly)

    assert statement_exports.write_due(at=at) == 0
    assert StatementExport.objects.get().attempts == 2
    assert ExportPiece.objects.count() == 1


def test_after_three_deaths_an_export_has_failed(counter: Counter) -> None:
    ask(signed_in(counter))
    StatementExport.objects.update(status="writing", attempts=3, due_at=NOW)

    assert statement_exports.write_due(at=NOW) == 0
    assert statement_exports.sweep(at=NOW) == 1
    assert StatementExport.objects.get().status == "failed"


def test_progress_is_seen_while_it_is_written(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(signed_in(counter))
    monkeypatch.setattr(statement_exports, "PROGRESS_EVERY", 2)
    monkeypatch.setattr(statement_exports, "_keep", lambda *_, **__: 1)

    statement_exports.write_due(at=datetime.now(UTC))

    assert StatementExport.objects.get().lines_written == 2
    assert not connection.in_atomic_block
