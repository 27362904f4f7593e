"""
Units given to cards: a transportation problem, solved by sending what is too much along cheapest paths.

Successive shortest paths (Jewell 1958; Busacker & Gowen 1961) among the cards, of which there are few: each line takes
its best card first, then cards that are asked for too much pass units on, the cheapest way each time. Its rents are the
dual's, by which bounds.py and leaf.py prove.
"""

import math
from collections.abc import Sequence

Option = tuple[float, int]  # value, card


class Cards:
    """``held``: units of each line by card; ``rent``: of one use more of a card; ``price``: of a unit of each line."""

    def __init__(
        self,
        options: list[list[Option]],
        room: list[int],
        leave: list[float],
        quantity: Sequence[int],
        tolerance: float,
    ):
        """
        ``options`` of each line, the best first; ``room`` of each card; ``leave``: what a unit left is worth.

        Sums that differ by less than ``tolerance`` are the same: what rounding of floats adds up to is less.
        """
        self.tolerance = tolerance
        self.options, self.room, self.leave = options, list(room), leave
        self.held: list[dict[int, int]] = [{} for _ in room]
        for i, of_line in enumerate(options):
            if of_line and (units := quantity[i]) and of_line[0][0] > leave[i]:
                at = of_line[0][1]
                self.held[at][i] = units
                self.room[at] -= units
        self.effort = 3 * len(options) * (1 + len(room))  # how much work this was, in options looked at
        self.ways: dict[int, dict[int, tuple[float, int]]] = {}  # from a full card: what moving a unit costs, which
        while room and (least := min(self.room)) < 0:
            self._relieve(self.room.index(least))
        rent = self.rent = self._distances()[0] if room and not all(self.room) else [0.0] * len(room)
        self.price = [
            max([worth, *[value - rent[at] for value, at in of_line]]) if of_line else worth
            for of_line, worth in zip(options, leave, strict=True)
        ]

    def _ways_from(self, card: int) -> dict[int, tuple[float, int]]:
        cheapest: dict[int, tuple[float, int]] = {}
        nothing = (math.inf, -1)
        self.effort += (1 + len(self.held[card])) * len(self.room)
        for i in self.held[card]:
            of_line = self.options[i]
            here = next(iter([value for value, at in of_line if at == card]))
            cost = here - self.leave[i]
            if cost < cheapest.get(-1, nothing)[0]:
                cheapest[-1] = (cost, i)
            for value, at in of_line:
                if here - value < cheapest.get(at, nothing)[0]:
                    cheapest[at] = (here - value, i)
        cheapest.pop(card, None)
        return cheapest

    def _distances(self) -> tuple[list[float], list[tuple[int, int]]]:
        """What one unit more costs each card, and by which line's going where (Bellman & Ford)."""
        rent = [0.0 if left > 0 else 1e18 for left in self.room]
        way = [(-1, -1)] * len(rent)
        moves = []
        for card, left in enumerate(self.room):
            if left <= 0:
                if card not in self.ways:
                    self.ways[card] = self._ways_from(card)
                for at, (cost, i) in self.ways[card].items():
                    if at < 0 or self.room[at] > 0:
                        if cost < rent[card]:
                            rent[card], way[card] = cost, (i, at)
                    else:
                        moves.append((card, at, cost, i))
        self.effort += 4 * len(rent) + 2 * len(moves)
        for _ in rent:
            changed = False
            for card, at, cost, i in moves:
                if cost + rent[at] < rent[card] - self.tolerance:
                    rent[card], way[card], changed = cost + rent[at], (i, at), True
            if not changed:
                break
        return rent, way

    def _relieve(self, card: int) -> None:
        _, way = self._distances()
        path: list[tuple[int, int, int]] = []
        first, amount = card, -self.room[card]
        while card >= 0 and (self.room[card] <= 0 or not path):
            i, then = way[card]
            amount = min(amount, self.held[card][i])
            path.append((card, i, then))
            card = then
            if len(path) > len(way):  # Only rounding could lead in a circle; rents bound whatever is held.
                i, card = self.ways[first][-1][1], -1
                path, amount = [(first, i, -1)], min(-self.room[first], self.held[first][i])
        if card >= 0:
            amount = min(amount, self.room[card])
        for here, i, then in path:
            self.held[here][i] -= amount
            if not self.held[here][i]:
                del self.held[here][i]
            self.room[here] += amount
            self.ways.pop(here, None)
            self.ways.pop(then, None)
            if then >= 0:
                self.held[then][i] = self.held[then].get(i, 0) + amount
                self.room[then] -= amount
