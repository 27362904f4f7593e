"""A brand's menu, taken over whole or not at all; what is no product for sale is flagged by stated rules."""

import io
import tracemalloc
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError
from config.kernel.models import AuditEntry
from stores.errors import MenuFileRefused
from stores.models import Brand, Option, OptionGroup, Product
from stores.services import menu_import, products
from stores.services.menu_file import LONGEST, fen_of
from stores.services.menu_import import Report
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
MENU = """商品ID,sku,分类,商品,英文名,价格
1,,鲜果茶,青提茉莉,Jasmine Grape,19
2,A-2,波波家族,波波牛乳,,¥21.50
1,,热饮推荐,青提茉莉,,19
3,,加料,珍珠,Pearls,2
4,,灵感提示,过敏原,,9999
5,,纯茶,绿妍,,16
"""


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def take(brand: Brand, text: str | bytes = MENU, mapping: dict[str, str] | None = None) -> Report:
    source = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return menu_import.import_menu(brand_id=brand.id, source=source, mapping=mapping or {}, by=BY, at=NOW)


def refused(brand: Brand, text: str) -> list[tuple[int, str]]:
    with pytest.raises(MenuFileRefused) as refusal:
        take(brand, text)
    assert refusal.value.details["count"] == len(refusal.value.problems)
    return [(problem.told()["line"], problem.told()["code"]) for problem in refusal.value.problems]


def snapshot() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (Product, OptionGroup, Option)]


def test_a_menu_makes_products_options_and_notices(brand: Brand) -> None:
    report = take(brand)

    assert (report.rows, report.products, report.notices, report.addons) == (6, 3, 1, 1)
    assert (report.created, report.updated, report.unchanged, report.repeated_count) == (5, 0, 0, 1)
    grape = Product.objects.get(code="1")
    assert (grape.name_en, grape.categories, grape.price_fen) == ("Jasmine Grape", ["鲜果茶", "热饮推荐"], 1_900)
    assert Product.objects.get(code="A-2").price_fen == 2_150
    pearls = Option.objects.select_related("group").get()
    assert (pearls.group.name, pearls.name, pearls.price_delta_fen) == ("加料", "珍珠", 200)
    assert (pearls.group.choose_least, pearls.group.choose_most) == (0, 1)
    trail = AuditEntry.objects.get()
    assert (trail.act, trail.subject_count, trail.details["flagged"]) == ("menu.imported", 5, 2)


def test_flagged_and_repeated_rows_are_named_with_line_and_reason(brand: Brand) -> None:
    report = take(brand)

    assert [(row.line, row.code, row.flag) for row in report.flagged] == [
        (5, "3", "addon_category"),
        (6, "4", "price_out_of_range"),
    ]
    assert report.flagged[1].reason == "¥9,999.00 is more than 20 times the median ¥19.00: not sold"
    assert [(row.line, row.code, row.first_line) for row in report.repeated] == [(4, "1", 2)]


def test_a_notice_is_kept_and_never_sold(brand: Brand) -> None:
    take(brand)

    notice = Product.objects.get(code="4")
    assert (notice.is_sold, notice.flags) == (False, ["price_out_of_range"])


@pytest.mark.parametrize(("price", "flags"), [("380", []), ("380.01", ["price_out_of_range"])])
def test_a_price_is_out_of_range_above_twenty_times_the_median(brand: Brand, price: str, flags: list[str]) -> None:
    take(brand, f"id,name,price\n1,甲,18\n2,乙,19\n3,丙,{price}\n")

    assert Product.objects.get(code="3").flags == flags


def test_the_same_menu_again_changes_nothing(brand: Brand) -> None:
    take(brand)
    before = snapshot()

    report = take(brand)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 5)
    assert not report.changed
    assert snapshot() == before


def test_changed_rows_are_updated_and_named_by_line(brand: Brand) -> None:
    take(brand)

    report = take(brand, MENU.replace("绿妍,,16", "绿妍茶,,17").replace("珍珠,Pearls,2", "珍珠,Pearls,3"))

    assert [(row.line, row.code) for row in report.changed] == [(5, "3"), (7, "5")]
    assert (report.updated, report.unchanged) == (2, 3)
    assert Option.objects.get().price_delta_fen == 300
    assert Product.objects.get(code="5").name == "绿妍茶"


def test_what_cells_leave_empty_stays(brand: Brand) -> None:
    take(brand)

    assert take(brand, "商品ID,分类,商品,英文名,价格\n1,,青提茉莉,,19\n").unchanged == 1
    assert Product.objects.get(code="1").categories == ["鲜果茶", "热饮推荐"]


def test_a_flag_that_comes_takes_off_the_menu_and_one_that_goes_puts_back(brand: Brand) -> None:
    take(brand)
    take(brand, MENU.replace("绿妍,,16", "绿妍,,9999"))
    flagged = Product.objects.get(code="5")
    assert (flagged.is_sold, flagged.flags) == (False, ["price_out_of_range"])

    take(brand)

    mended = Product.objects.get(code="5")
    assert (mended.is_sold, mended.flags, mended.price_fen) == (True, [], 1_600)


def test_what_people_said_of_a_product_stands(brand: Brand) -> None:
    take(brand)
    tea, notice = Product.objects.get(code="5"), Product.objects.get(code="4")
    products.edit(product_id=tea.id, changes={"is_sold": False}, by=BY, at=NOW)
    products.edit(product_id=notice.id, changes={"is_sold": True}, by=BY, at=NOW)

    take(brand, MENU.replace("绿妍,,16", "绿妍,,17"))

    tea.refresh_from_db()
    notice.refresh_from_db()
    assert (tea.is_sold, tea.price_fen, notice.is_sold) == (False, 1_700, True)


def test_a_broken_row_in_the_middle_keeps_all_out(brand: Brand) -> None:
    take(brand)
    before = snapshot()
    many = "".join(f"N{number},,茶,茶{number},,19\n" for number in range(3_000))

    problems = refused(
        brand, MENU + many + "X,,茶,,,19\n,,茶,无编码,,19\nY,,茶,面议,,面议\nZ,,茶\n" + many.replace("N", "M")
    )

    assert problems == [
        (3_008, "name_missing"),
        (3_009, "code_missing"),
        (3_010, "price_unreadable"),
        (3_011, "wrong_cell_count"),
    ]
    assert snapshot() == before
    assert AuditEntry.objects.count() == 1


def test_one_code_for_two_things_is_refused(brand: Brand) -> None:
    assert refused(brand, MENU + "1,,纯茶,青提茉莉,,20\n2,A-2,纯茶,另一种,,21.5\n") == [
        (8, "product_differs"),
        (9, "product_differs"),
    ]
    assert not Product.objects.exists()


def test_a_product_does_not_become_a_topping_nor_the_other_way(brand: Brand) -> None:
    take(brand)

    assert refused(brand, MENU.replace("5,,纯茶,绿妍,,16", "5,,小料,绿妍,,16")) == [(7, "product_and_option")]
    assert refused(brand, MENU.replace("3,,加料,珍珠", "3,,小吃,珍珠")) == [(5, "product_and_option")]


def test_a_withdrawn_product_does_not_come_back(brand: Brand) -> None:
    take(brand)
    with transaction.atomic():
        product = products.lock(Product.objects.get(code="5").id)
        products.withdraw(product=product, by=BY, at=NOW, reason="换季")

    assert refused(brand, MENU) == [(7, "product_withdrawn")]


def test_a_rehearsal_reports_the_same_and_leaves_nothing(brand: Brand) -> None:
    rehearsed = menu_import.rehearse(brand_id=brand.id, source=io.BytesIO(MENU.encode()), mapping={}, at=NOW)

    assert snapshot() == [[], [], []]
    assert not AuditEntry.objects.exists()
    assert take(brand) == rehearsed


def test_another_brands_menu_is_not_touched(brand: Brand) -> None:
    other = factories.brand()
    take(other)

    take(brand, MENU.replace("绿妍", "红妍"))

    assert Product.objects.get(brand=other, code="5").name == "绿妍"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_every_encoding_gives_the_same_menu(brand: Brand, encoding: str) -> None:
    text = MENU.replace("¥", "") if encoding == "gbk" else MENU
    take(brand, text.encode(encoding))

    assert Product.objects.get(code="1").name == "青提茉莉"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "list_empty"),
        (b"name,price\n\xff\xfe\xff,1\n", "list_encoding_unknown"),
        ("编码,价格\n".encode(), "headings_incomplete"),
        ("编码,名称\n".encode(), "headings_incomplete"),
        ("名称,品名,价格\n".encode(), "heading_ambiguous"),
    ],
)
def test_what_is_no_menu_is_refused(brand: Brand, text: bytes, code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        take(brand, text)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("text", "fen"), [("32", 3_200), ("32.5", 3_250), ("¥ 1,280.00", 128_000), ("16元", 1_600), ("￥0", 0)]
)
def test_prices_are_read_as_people_write_them(text: str, fen: int) -> None:
    assert fen_of(text) == fen


@pytest.mark.parametrize("text", ["", "-1", "1.005", "面议", "1e5", "NaN", "9999999999", "=1+1", "1 2"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of yuan"):
        fen_of(text)


def test_cells_are_no_longer_than_their_columns() -> None:
    fields = {"sku": "code", "product_id": "code", "name": "name", "name_en": "name_en"}
    assert all(LONGEST[cell] == Product._meta.get_field(field).max_length for cell, field in fields.items())
    # Options hold add-ons; a list of those with longer names than that is refused by the database as a whole.
    assert Option._meta.get_field("code").max_length == LONGEST["sku"]


def test_memory_does_not_grow_with_the_list(brand: Brand, tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as written:
            written.write("id,name,price\n")
            written.writelines(f"N{number:07},Tea {number:07},19\n" for number in range(rows))
        with path.open("rb") as source:
            tracemalloc.start()
            menu_import.rehearse(brand_id=brand.id, source=source, mapping={}, at=NOW)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    assert peak(40_000) < peak(8_000) * 1.3


def test_a_menu_takes_few_statements_however_long_it_is(brand: Brand) -> None:
    def statements(rows: int) -> int:
        text = "id,name,price\n" + "".join(f"{number},茶{number},19\n" for number in range(rows))
        with CaptureQueriesContext(connection) as captured:
            take(brand, text)
        return len(captured)

    first, four_thousand = statements(10), statements(3_990)
    assert four_thousand - first == 1  # a second batch
    assert first <= 25


@pytest.mark.data
def test_the_real_menu_gives_84_products_23_flagged_rows_and_1_repeated(brand: Brand, shared_data: Path) -> None:
    with (shared_data / "stores" / "heytea_menu_2020.csv").open("rb") as source:
        report = menu_import.import_menu(brand_id=brand.id, source=source, mapping={}, by=BY, at=NOW)
        source.seek(0)
        again = menu_import.import_menu(brand_id=brand.id, source=source, mapping={}, by=BY, at=NOW)

    assert (report.rows, report.products, report.notices, report.addons) == (108, 84, 17, 6)
    assert (report.flagged_count, report.repeated_count, len(report.flagged)) == (23, 1, 23)
    assert [(row.line, row.code, row.first_line) for row in report.repeated] == [(34, "932", 2)]
    assert Product.objects.get(code="932").categories == ["喜茶食验室", "人气必喝榜"]
    assert not Product.objects.filter(is_sold=True, price_fen__gt=10_000).exists()
    assert Product.objects.filter(is_sold=True).count() == 84
    assert {option.price_delta_fen for option in Option.objects.filter(group__name="加料")} == {200, 300, 600}
    assert Option.objects.count() == 6
    assert (again.created, again.updated, again.unchanged) == (0, 0, 107)


def test_the_command_names_every_flagged_row(tmp_path: Path, capsys: pytest.CaptureFixture[str], brand: Brand) -> None:
    menu, report = tmp_path / "menu.csv", tmp_path / "report.csv"
    menu.write_text(MENU.replace("过敏原", "=过敏原"))

    call_command("import_menu", menu, "--report", str(report), "--dry-run")
    assert not Product.objects.filter(brand=brand).exists()
    call_command("import_menu", menu)

    said = capsys.readouterr().out
    assert "line 6: price_out_of_range: 4 =过敏原: ¥9,999.00 is more than" in said
    assert "rows      6: 3 products, 2 flagged (1 not sold, 1 add-ons), 1 repeated" in said
    assert "menu      5 new, 0 changed, 0 as they were\n" in said
    assert "'=过敏原" in report.read_text(encoding="utf-8-sig")
    assert Product.objects.get(code="4").name == "=过敏原"


@pytest.mark.usefixtures("brand")
def test_the_command_names_every_refused_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    menu = tmp_path / "menu.csv"
    menu.write_text("id,name,price\n1,茶,x\n")

    with pytest.raises(CommandError, match="1 problems; no product was imported"):
        call_command("import_menu", menu, "--report", str(tmp_path / "report.csv"))

    assert "price_unreadable" in capsys.readouterr().err
    assert "price_unreadable price" in (tmp_path / "report.csv").read_text(encoding="utf-8-sig")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_menu", tmp_path / "none.csv")
