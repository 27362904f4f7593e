"""manage.py import_stores, as somebody at a terminal meets it."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from stores.models import Brand, Store
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def brand() -> Brand:
    return factories.brand(slug="qingyu")


@pytest.fixture
def stores_csv(tmp_path: Path) -> Path:
    path = tmp_path / "stores.csv"
    path.write_text("铺名,城市\n江南大道店,杭州市\n[red]湖滨[/red]店,杭州市\n", encoding="gbk")
    return path


@pytest.mark.usefixtures("brand")
def test_it_prints_the_codes_it_made_and_what_it_comes_to(stores_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_stores", stores_csv, "--map", "name=铺名")

    said = capsys.readouterr().out
    for store in Store.objects.all():
        assert f"{store.code}\t{store.name}\n" in said
    assert "encoding  gb18030" in said
    assert "rows      2: 2 new, 0 changed, 0 as they were\n" in said


@pytest.mark.usefixtures("brand")
def test_a_dry_run_says_so_and_changes_nothing(stores_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_stores", stores_csv, "--map", "name=铺名", "--dry-run")

    assert "2 new, 0 changed, 0 as they were — dry run, nothing was changed" in capsys.readouterr().out
    assert not Store.objects.exists()


@pytest.mark.usefixtures("brand")
def test_problems_are_listed_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stores.csv"
    path.write_text("名称,纬度,经度\n一店,,\n二店,x,1\n")

    with pytest.raises(CommandError, match="1 problems; nothing was imported"):
        call_command("import_stores", path)

    said = capsys.readouterr().err
    assert "not_a_coordinate" in said
    assert " 3 " in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "No such file"),
        (["--brand", "other"], "no brand other"),
        (["--map", "name"], "not FIELD=HEADING"),
        (["--map", "name=店名"], "heading_not_there"),
        ([], "headings_incomplete"),
    ],
)
@pytest.mark.usefixtures("brand")
def test_what_cannot_be_done_is_said_in_one_line(stores_csv: Path, arguments: list[str], message: str) -> None:
    file = [] if arguments[:1] == ["nowhere.csv"] else [str(stores_csv)]

    with pytest.raises(CommandError, match=message):
        call_command("import_stores", *file, *arguments)


def test_of_several_brands_one_is_named(stores_csv: Path) -> None:
    for _ in range(2):
        factories.brand()

    with pytest.raises(CommandError, match="--brand"):
        call_command("import_stores", stores_csv)
