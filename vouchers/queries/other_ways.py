"""What a cart would cost if vouchers were chosen another way: what the best plan is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from vouchers.plan import best_plan
from vouchers.plan.model import Line, Objective, Voucher


@dataclass(frozen=True, slots=True)
class OtherWays:
    """
    True costs in fen, cash due and refund value consumed: without vouchers, with the one that saves most, and by greed.

    Greedy is what tills and people do: the voucher that takes most off what is due, then the next one on top of it,
    until none takes anything off. It never takes one back, and does not ask what refunding would have given.
    """

    none_fen: int
    single_fen: int
    greedy_fen: int


def other_ways(*, lines: Sequence[Line], vouchers: Sequence[Voucher]) -> OtherWays:
    """The alternatives for a cart and a wallet; as many plans as the square of the vouchers that take something off."""
    usable = [one for one in vouchers if one.refusal is None]
    none_fen = sum(line.unit_fen * line.quantity for line in lines)
    alone = [(_taking(lines, [one]), one) for one in usable]
    helping = [one for result, one in alone if result.due_fen < none_fen]
    return OtherWays(
        none_fen=none_fen,
        single_fen=min([none_fen, *(result.cost_fen for result, _ in alone)]),
        greedy_fen=_greedy(lines, helping, none_fen),
    )


def _greedy(lines: Sequence[Line], usable: Sequence[Voucher], none_fen: int) -> int:
    taken: list[Voucher] = []
    due_fen = cost_fen = none_fen
    rest = sorted(usable, key=lambda voucher: voucher.id)
    while rest:
        tried = [(_taking(lines, [*taken, one]), one) for one in rest]
        # One that does not go together with those taken is left out of its plan, however it is forced.
        fitting = [(result, one) for result, one in tried if not result.forced_left_out and result.due_fen < due_fen]
        if not fitting:
            break
        result, best = min(fitting, key=lambda pair: (pair[0].due_fen, pair[1].id))
        due_fen, cost_fen = result.due_fen, result.cost_fen
        taken.append(best)
        rest.remove(best)
    return cost_fen


def _taking(lines: Sequence[Line], vouchers: Sequence[Voucher]) -> Objective:
    return best_plan(lines=lines, vouchers=vouchers, forced={one.id for one in vouchers}).objective
