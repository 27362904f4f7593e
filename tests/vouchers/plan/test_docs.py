"""docs/plan.md says what the code does."""

import doctest
from pathlib import Path


def test_the_worked_examples_of_the_page_run() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "plan.md"

    tried = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)

    assert tried.failed == 0
    assert tried.attempted >= 10
