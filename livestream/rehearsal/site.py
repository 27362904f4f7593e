"""The site with all its processes on one port."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from config.kernel.processes import Processes, beside_python, require_free

GRANIAN = ("--workers", "1", "--loop", "uvloop", "--backlog", "4096", "--no-ws", "--log-level", "warning")
CELERY = ("-A", "config.celery", "worker", "--without-gossip", "--without-mingle", "--loglevel", "WARNING")


@contextmanager
def site(*, port: int, sandbox_port: int, **environment: str) -> Iterator[Processes]:
    """
    Lane and site on ``port``, the sandbox provider, the workers and beat: up when the block begins.

    Raises:
        PortTaken: a port is in use.
        ProcessDied: a process did not come up; its log is named.
    """
    require_free(port, "--port")
    require_free(sandbox_port, "--sandbox-port")
    where = {
        "HEXIAO_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HEXIAO_SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        **environment,
    }
    celery, granian, python = beside_python("celery"), beside_python("granian"), beside_python("python")
    with Processes(settings.LOCAL_DIR / "log", where) as processes:
        processes.start("sandbox", [python, "manage.py", "sandbox", "--port", str(sandbox_port)])
        processes.start(
            "site", [granian, "--interface", "asgi", "config.asgi:application", "--port", str(port), *GRANIAN]
        )
        processes.start(
            "issue", [celery, *CELERY, "--queues", "issue,stock", "--hostname", "issue@%h", "--pool", "solo"]
        )
        processes.start(
            "outside",
            [
                celery,
                *CELERY,
                "--queues",
                "outside",
                "--hostname",
                "outside@%h",
                "--pool",
                "threads",
                "--concurrency",
                "4",
            ],
        )
        schedule = settings.LOCAL_DIR / f"beat-{os.getpid()}"
        processes.start(
            "beat", [celery, "-A", "config.celery", "beat", "--schedule", str(schedule), "--loglevel", "WARNING"]
        )
        try:
            processes.wait_for_port(sandbox_port)
            processes.wait_for_port(port)
            processes.check()
            yield processes
        finally:
            schedule.unlink(missing_ok=True)
