"""A long list on its way into the database: batch by batch into a temporary table, whatever is wrong with it beside."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Generic, TypeVar

from django.db import connection

from stores.errors import ListRefused
from stores.services.csv_lists import Problem, RowProblem

BATCH_ROWS = 2_000
PROBLEMS_KEPT = 1_000
REPORTED_AT_MOST = 10_000
MORE_TIME = "SET LOCAL statement_timeout = '10min'"
"""A request's 15 s are not for a list of a million rows; its length is bounded where it comes in."""

R = TypeVar("R")


class Staging(Generic[R]):
    """
    The temporary table that ``create`` makes, filled by ``copy`` with what ``cells_of`` says of each row.

    Runs inside the caller's transaction, with which the table goes. Memory is one batch and the first
    ``keep`` problems, however long the list.
    """

    def __init__(
        self, *, create: str, copy: str, cells_of: Callable[[R], tuple[Any, ...]], keep: int | None = None
    ) -> None:
        assert connection.in_atomic_block, "the table goes with the transaction"
        self.rows = 0
        self._copy = copy
        self._cells_of = cells_of
        self._keep = PROBLEMS_KEPT if keep is None else keep
        self._problem_count = 0
        self._problems: list[RowProblem] = []
        with connection.cursor() as cursor:
            cursor.execute(MORE_TIME)
            cursor.execute(create)

    def fill(self, rows: Iterator[R | RowProblem], *, after_batch: Callable[[], None]) -> None:
        while batch := list(islice(rows, BATCH_ROWS)):
            # One COPY a batch: a statement that waits for the reader of a long list would meet its timeout.
            with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
                for row in batch:
                    if isinstance(row, RowProblem):
                        self._refuse(row)
                    else:
                        self.rows += 1
                        copy.write_row(self._cells_of(row))
            after_batch()

    def require_no_problem(
        self,
        found: Sequence[tuple[int, str, str, str]],
        *,
        refusal: type[ListRefused],
        codes: type[StrEnum] = Problem,
    ) -> None:
        """
        Raise ``refusal`` where the reader, or the table in ``found`` (line, code, column, value), had a problem.

        Raises:
            ListRefused: ``refusal``, with every line at fault.
        """
        in_table = [RowProblem(line, codes(code), column, value) for line, code, column, value in found]
        if problems := sorted([*self._problems, *in_table], key=lambda problem: problem.line):
            count = self._problem_count + len(in_table)
            raise refusal(problems=problems[: self._keep], count=count, rows=self.rows)

    def _refuse(self, problem: RowProblem) -> None:
        self._problem_count += 1
        if len(self._problems) < self._keep:
            self._problems.append(problem)
