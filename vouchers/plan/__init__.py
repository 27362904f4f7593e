"""
The best plan: which vouchers of a wallet to apply to a cart, proven, and why not the rest.

The model, the proof and worked examples are in docs/plan.md. Pure: plain data in, plain data out; no clock, no
database, no Django.
"""

from collections.abc import Collection, Sequence

from vouchers.plan.model import Line, Objective, Plan, Voucher
from vouchers.plan.outcome import applied_uses, left_out, planned_lines
from vouchers.plan.search import Search
from vouchers.plan.wallet import wallet_of

NODE_BUDGET = 4_000


def best_plan(
    *,
    lines: Sequence[Line],
    vouchers: Sequence[Voucher],
    forced: Collection[str] = (),
    excluded: Collection[str] = (),
    node_budget: int = NODE_BUDGET,
) -> Plan:
    """
    The plan of least true cost: cash due + refund value consumed, then the later levels of ``Objective``.

    As many ``forced`` vouchers as can be are in it, whatever that costs; no ``excluded`` one is. The order of lines
    and vouchers is immaterial. After ``node_budget`` nodes the best plan so far is answered with ``optimal`` false.
    """
    wallet = wallet_of(lines, vouchers, forced, excluded)
    search = Search(wallet, node_budget)
    search.run()
    found = search.best
    wasted, expiries, n_vouchers, ids = found.levels()
    applied = applied_uses(wallet, found)
    cost = found.due_fen + found.refund_fen()
    bound = search.bound_fen()
    return Plan(
        objective=Objective(
            forced_left_out=len(wallet.forced - set(ids)),
            cost_fen=cost,
            due_fen=found.due_fen,
            wasted_fen=wasted,
            expiries=expiries,
            vouchers=n_vouchers,
            ids=ids,
        ),
        applied=applied,
        lines=planned_lines(wallet, applied),
        left_out=left_out(wallet, found, vouchers, excluded),
        optimal=bound == cost,
        settled=search.is_settled,
        bound_fen=bound,
        nodes=search.nodes,
    )
