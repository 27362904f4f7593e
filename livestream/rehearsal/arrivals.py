"""When simulated viewers arrive: along real grabs of limited rewards where that file is at hand."""

import csv
import math
from collections import defaultdict
from pathlib import Path

BUSIEST_PER_SECOND = 1_500


def arrival_seconds(
    count: int, recorded: Path | None, *, busiest_per_second: float = BUSIEST_PER_SECOND
) -> list[float]:
    """
    ``count`` arrival times in seconds from the opening, ascending.

    The shape is that of ``recorded`` (columns storm, offset_ms: ten grabs in real livestreams, each
    taken from its own first arrival); without it, a crowd that decays as it is served. The length is
    chosen so that the busiest second has about ``busiest_per_second``: platforms cut the recorded
    peaks, so onset and gaps are theirs and the height is ours.
    """
    shape = _recorded_shape(recorded) if recorded is not None and recorded.is_file() else _decaying_shape()
    places = [_at_quantile(shape, (i + 0.5) / count) for i in range(count)]
    return [place * _seconds_long(places, busiest_per_second) for place in places]


def _recorded_shape(path: Path) -> list[float]:
    storms: dict[str, list[int]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            storms[row["storm"]].append(int(row["offset_ms"]))
    pooled = sorted(offset - min(offsets) for offsets in storms.values() for offset in offsets)
    return [offset / pooled[-1] for offset in pooled]


def _decaying_shape() -> list[float]:
    return [min(1.0, -math.log(1 - (i + 0.5) / 1_000) / 7) for i in range(1_000)]


def _at_quantile(shape: list[float], quantile: float) -> float:
    """The place in 0..1 by which ``quantile`` of the crowd has come, between two recorded arrivals by their line."""
    exact = quantile * (len(shape) - 1)
    low = int(exact)
    high = min(low + 1, len(shape) - 1)
    return shape[low] + (shape[high] - shape[low]) * (exact - low)


def _seconds_long(places: list[float], busiest_per_second: float) -> float:
    """How long the whole must last for its densest hundredth to be no denser than that."""
    hundredths = [0] * 101
    for place in places:
        hundredths[int(place * 100)] += 1
    return max(hundredths) * 100 / busiest_per_second
