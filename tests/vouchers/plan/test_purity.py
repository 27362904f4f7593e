"""The plan runs without Django and without the rest of this project."""

import ast
import sys
from pathlib import Path

import vouchers.plan

OWN = ("vouchers.plan", "config.kernel.money")


def test_the_package_imports_the_standard_library_itself_and_money() -> None:
    foreign = set()
    for module in Path(vouchers.plan.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign |= {name for name in names if not name.startswith(OWN)}

    assert {name.partition(".")[0] for name in foreign} <= sys.stdlib_module_names
