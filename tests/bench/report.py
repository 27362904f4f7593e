"""What a benchmark says: one JSON line a figure."""

import json
import os
import platform
import resource
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """``conditions`` tells what else has to be known to read the value."""

    name: str
    value: float
    unit: str
    conditions: str


def machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at start, Python {platform.python_version()}"


def tell(figure: Figure) -> None:
    sys.stdout.write(json.dumps(asdict(figure), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def peak_mb() -> float:
    """The most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
