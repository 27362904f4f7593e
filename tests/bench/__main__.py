"""``python -m tests.bench``: every benchmark, or with ``--only`` those that tell one figure."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from tests.bench import (
    exporting,
    full,
    granting,
    importing,
    intake,
    issuing,
    kill,
    memory,
    ordering,
    paging,
    pipeline,
    plan,
    reconciling,
    redeeming,
    settling,
    stocking,
    verdict,
)
from tests.bench.report import Figure, machine, tell

BENCHMARKS: dict[str, tuple[Callable[[], Iterator[Figure]], tuple[str, ...]]] = {
    "intake": (intake.intake, ("bare_asgi_256", "intake_256", "intake_64", "intake_open_p99_ms", "intake_mb")),
    "redeeming": (redeeming.redeeming, ("prepare_http", "redeem_http", "redeem_p99_ms", "statements_redeem")),
    "ordering": (ordering.ordering, ("quote_http", "checkout_http", "statements_quote", "statements_checkout")),
    "verdict": (verdict.verdict, ("verdict_us",)),
    "issuing": (issuing.issue, ("issue",)),
    "granting": (granting.grant, ("grant", "grant_plan_s", "grant_2_workers")),
    "stocking": (stocking.settling, ("stock_settle", "stock_settle_later")),
    "consuming": (stocking.consuming_cups, ("material_use", "material_use_later")),
    "settling": (settling.settle, ("settle", "settle_2_workers")),
    "pipeline": (pipeline.pipeline, ("pipeline_per_s",)),
    "importing": (importing.import_rows, ("import_rows",)),
    "reconciling": (reconciling.reconcile, ("reconcile_s",)),
    "exporting": (exporting.export, ("statement_export_s", "statement_xlsx_s")),
    "full": (full.full, ("intake_4m_ratio",)),
    "memory": (memory.memory, ("web_mb",)),
    "kill": (kill.kill, ("kill_switch_ms",)),
    "plan": (plan.plan, plan.FIGURES),
    "pages": (paging.pages, paging.FIGURES),
}


def main() -> None:
    figures = [figure for _, told in BENCHMARKS.values() for figure in told]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", choices=[*BENCHMARKS, *figures], help=f"one of: {', '.join(figures)}")
    only = parser.parse_args().only
    sys.stderr.write(f"measuring on {machine()}\n")
    for name, (benchmark, told) in BENCHMARKS.items():
        if only in (None, name, *told):
            for figure in benchmark():
                if only in (None, name, figure.name):
                    tell(figure)


if __name__ == "__main__":
    main()
