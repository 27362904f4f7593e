"""
The primal simplex method, for the small packing programs of bounds.py.

Maximise c·x under A·x ≤ b and x ≥ 0, with b > 0 and columns made on demand (Dantzig 1951; the revised method with an
explicit inverse, Dantzig & Orchard-Hays 1954; columns on demand, Gilmore & Gomory 1961). The right-hand side is nudged
row by row, so that ties, of which assignments are full, cost no idle pivots. One pivot costs some tens of
microseconds here. Its prices only guide: whoever uses them computes what they prove.
"""

from collections.abc import Callable, Sequence

Entries = tuple[tuple[int, float], ...]  # rows with coefficients
Column = tuple[float, Entries, object]  # gain at the prices asked for, entries, whose it is


def solve(
    limits: Sequence[float], entering: Callable[[list[float]], Column], least_gain: float, most_pivots: int
) -> tuple[list[float], list[tuple[object, float]]]:
    """Prices of the rows, and the columns used with how much; ``entering`` gives the best column at given prices."""
    size = len(limits)
    level = [limit + 1e-4 * (1 + 0.37 * (row * 7 % 11)) for row, limit in enumerate(limits)]
    inverse = [[1.0 if row == column else 0.0 for column in range(size)] for row in range(size)]
    basis: list[object] = [None] * size
    prices = [0.0] * size
    for _ in range(most_pivots):
        gain, entries, owner = entering(prices)
        if (least := min(prices)) < -gain:  # a row that should not be full after all
            gain, entries, owner = -least, ((prices.index(least), 1.0),), None
        if gain <= least_gain:
            break
        direction = [sum([row[at] * coefficient for at, coefficient in entries]) for row in inverse]
        leaving, step = -1, float("inf")
        for row, rate in enumerate(direction):
            if rate > 1e-9 and level[row] < step * rate:
                leaving, step = row, level[row] / rate
        if leaving < 0:
            break
        pivot = direction[leaving]
        chosen = [entry / pivot for entry in inverse[leaving]]
        inverse[leaving] = chosen
        for row, rate in enumerate(direction):
            if row != leaving and abs(rate) > 1e-12:
                inverse[row] = [entry - rate * c for entry, c in zip(inverse[row], chosen, strict=True)]
                level[row] = max(0.0, level[row] - rate * step)
        level[leaving] = step
        basis[leaving] = owner
        prices = [price + gain * c for price, c in zip(prices, chosen, strict=True)]
    return prices, [(owner, amount) for owner, amount in zip(basis, level, strict=True) if owner is not None]
