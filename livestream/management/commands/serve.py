"""``manage.py serve``: the site with its workers on one port, without a simulation."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError, call_command

from config.kernel.processes import PortTaken, ProcessDied
from livestream.rehearsal.site import site


class Command(BaseCommand):
    help = "Run lane, site, workers, beat and the sandbox payment provider until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where the site answers (default: %(default)s)")
        parser.add_argument(
            "--sandbox-port", type=int, default=8009, help="the sandbox provider (default: %(default)s)"
        )

    def handle(self, *args: Any, port: int, sandbox_port: int, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        try:
            with site(port=port, sandbox_port=sandbox_port) as processes:
                self.stdout.write(f"Hexiao answers on http://127.0.0.1:{port}  ·  Ctrl-C stops it")
                while True:
                    processes.check()
                    time.sleep(0.5)
        except (PortTaken, ProcessDied) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nstopped")
