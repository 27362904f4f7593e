"""The way to a store as a drawing of our own: north is up, nothing else is to scale, no map service hears of it."""

from dataclasses import dataclass
from math import atan2, cos, degrees, hypot, radians

WIDTH, HEIGHT = 350, 112
REACH_X, REACH_Y = 120, 30
COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")


@dataclass(frozen=True)
class Sketch:
    """She stands at (``from_x``, ``from_y``), the store at (``to_x``, ``to_y``); she turns once."""

    from_x: int
    from_y: int
    to_x: int
    to_y: int
    direction: str

    @property
    def path(self) -> str:
        return f"M{self.from_x} {self.from_y}V{self.to_y}H{self.to_x}"

    @property
    def direction_word(self) -> str:
        return f"way.{self.direction}"


def sketch_of(place: tuple[float, float], store: tuple[float, float]) -> Sketch:
    north = store[0] - place[0]
    east = (store[1] - place[1]) * cos(radians(place[0]))
    length = hypot(north, east) or 1.0
    x, y = round(REACH_X * east / length), round(REACH_Y * -north / length)
    bearing = degrees(atan2(east, north)) % 360
    return Sketch(
        from_x=WIDTH // 2 - x,
        from_y=HEIGHT // 2 + 12 - y,
        to_x=WIDTH // 2 + x,
        to_y=HEIGHT // 2 + 12 + y,
        direction=COMPASS[round(bearing / 45) % 8],
    )
