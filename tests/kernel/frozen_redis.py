"""A Redis that accepts connections and never answers, as one stopped by SIGSTOP does."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def frozen_redis() -> Iterator[str]:
    """Its URL, while it hangs."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = Path(folder) / "redis.sock"
        listening.bind(str(path))
        listening.listen(16)
        yield f"unix://{path}"
