"""``python -m tests.orders.long_money``: the money machine for as long as one likes, without a database."""

import argparse
import os
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from tests.orders import money_machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=50)
    asked = parser.parse_args()
    began = time.monotonic()
    money_machine.run(examples=asked.examples, steps=asked.steps)
    print(f"{asked.examples} sequences of up to {asked.steps} acts: nothing broke, {time.monotonic() - began:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
