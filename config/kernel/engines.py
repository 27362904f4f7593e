"""Where the embedded engines listen."""

from pathlib import Path
from urllib.parse import quote

CHECKOUT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    return f"postgresql://hexiao@/hexiao?host={quote(str(CHECKOUT / '.local'), safe='')}"


def redis_url() -> str:
    return f"unix://{CHECKOUT / '.local' / 'redis.sock'}"
