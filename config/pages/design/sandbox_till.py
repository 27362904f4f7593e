"""What a customer's device does at the sandbox, whose money is not real: console and shop do it for her."""

from typing import Any

import httpx

TIMEOUT_SECONDS = 5.0


def pay(parameters: dict[str, Any]) -> bool:
    """
    Hand the signed parameters in; whether the money was taken for certain.

    The pages' policy lets no form leave this site, so the site carries it. Paying twice takes the money once.
    """
    try:
        answer = httpx.post(parameters["url"], json=parameters, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError:
        return False
    # 409: closed or expired there; the page that follows says what became of it.
    return answer.is_success or answer.status_code == 409
