"""docs/configuration.md names every variable that something reads, with its default, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from granian.cli import cli

from config.kernel.engines import ENGINES

PROGRAMS = ("config", "stores", "vouchers", "orders", "livestream", "manage.py")
ROW = re.compile(r"^\| (`[A-Z_`, ]+`) \|(.*)\|$", re.MULTILINE)
NAME = re.compile(r"`([A-Z][A-Z_]+)`")
HEADING = re.compile(r"^## ", re.MULTILINE)
COMPUTED = {"config/kernel/engines.py"}
"""Reads variables whose names are not in the call: those of ``ENGINES``."""
ITS_OWN = {
    "PATH",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_INITDB_ARGS",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
}
"""What compose.yaml and the Dockerfile set for other people's programs and nobody is asked about."""

Read = tuple[str, str, str | None]


def page() -> str:
    return (settings.BASE_DIR / "docs/configuration.md").read_text()


def rows(text: str) -> dict[str, str]:
    """What the page's tables say of each variable."""
    return {name: said for names, said in ROW.findall(text) for name in NAME.findall(names)}


def part(heading: str) -> str:
    """The page's section that begins with ``heading``."""
    (found,) = [section for section in HEADING.split(page()) if section.startswith(heading)]
    return found


def sources() -> Iterator[Path]:
    for program in PROGRAMS:
        path = settings.BASE_DIR / program
        yield from path.rglob("*.py") if path.is_dir() else [path]


def reads_of(path: Path) -> Iterator[Read]:
    """Where, which variable and with which default a module reads its environment; a name of "" is computed."""
    where = str(path.relative_to(settings.BASE_DIR))
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="get" | "setdefault" | "getenv", value=value), args=[key, *rest]):
                # os.environ.get(…), os.environ.setdefault(…), os.getenv(…)
                if "environ" in ast.unparse(value) or ast.unparse(value) == "os":
                    yield where, _text(key), _default(rest)
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=key, ctx=ast.Load()):
                yield where, _text(key), None


def _text(key: ast.expr) -> str:
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _default(rest: list[ast.expr]) -> str | None:
    """A default that is spelled out: ``"0"``, ``15 * 60``; not one that the program works out."""
    match rest:
        case [ast.Constant(value=str(text))] if text:
            return text
        case [ast.BinOp(left=ast.Constant(value=int(left)), op=ast.Mult(), right=ast.Constant(value=int(right)))]:
            return str(left * right)
    return None


def read_by_programs() -> list[Read]:
    return [read for path in sources() for read in reads_of(path)]


def read_by_compose() -> dict[str, str]:
    """Names and defaults of ``${NAME:-default}``; ``$${…}`` is not compose's."""
    text = (settings.BASE_DIR / "compose.yaml").read_text()
    return dict(re.findall(r"(?<!\$)\$\{([A-Z_]+):[-?]([^}]*)\}", text))


def read_by_make() -> set[str]:
    text = (settings.BASE_DIR / "Makefile").read_text()
    named = set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)\)", text))
    return named - set(re.findall(r"^([A-Z_]+) :=", text, re.MULTILINE))


def set_for_granian() -> set[str]:
    """Granian's own variables that our files set; ``auto_envvar_prefix`` makes them of its options."""
    text = "".join((settings.BASE_DIR / name).read_text() for name in ("Dockerfile", "compose.yaml"))
    known = {f"GRANIAN_{option.name}".upper() for option in cli.params}
    found = set(re.findall(r"\bGRANIAN_[A-Z_]+", text))
    assert found <= known, f"Granian reads no {found - known}"
    return found


def test_page_names_what_is_read_and_nothing_else() -> None:
    named = {name for _, name, _ in read_by_programs() if name} | {engine.variable for engine in ENGINES}

    assert set(rows(page())) == named | set(read_by_compose()) | read_by_make() | set_for_granian()


def test_text_speaks_of_no_variable_that_the_tables_do_not_have() -> None:
    spoken_of = {name for name in NAME.findall(page()) if name.startswith(("HEXIAO_", "GRANIAN_", "POSTGRES_"))}

    assert spoken_of <= set(rows(page()))


def test_a_name_that_is_not_in_the_call_is_an_engines() -> None:
    assert {where for where, name, _ in read_by_programs() if not name} == COMPUTED


def test_page_tells_each_default_of_the_programs() -> None:
    said = rows(part("What the programs read"))

    for _, name, default in read_by_programs():
        if default:
            assert f"`{default}`" in said[name], name


def test_page_tells_each_default_of_compose() -> None:
    said = rows(part("Read by compose.yaml"))

    assert set(said) == set(read_by_compose())
    for name, default in read_by_compose().items():
        assert "set it in .env" in default or f"`{default}`" in said[name], name


def test_files_set_no_variable_that_the_page_does_not_have() -> None:
    compose = (settings.BASE_DIR / "compose.yaml").read_text()
    image = (settings.BASE_DIR / "Dockerfile").read_text()
    in_compose = set(re.findall(r"^ +([A-Z]+_[A-Z_]+): ", compose, re.MULTILINE))
    in_image = set(re.findall(r"^(?:ENV)? +([A-Z]+_?[A-Z_]+)=\S", image, re.MULTILINE))

    assert in_compose | in_image <= set(rows(page())) | ITS_OWN
