"""Every task is swept by beat and every nudge finds its task, so that a lost message loses nothing."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from config.celery import app

APPS = ("stores", "vouchers", "orders", "livestream")
NUDGED = re.compile(r"""nudge(?:_after_commit)?\(\s*"([\w.]+)",\s*queue="(\w+)"\s*\)""")
CONSUMED = re.compile(r"--queues[\", \n]+([\w,]+)")


@pytest.fixture(autouse=True)
def _tasks_are_registered() -> None:
    app.loader.import_default_modules()


def swept() -> dict[str, str]:
    """Each task that beat sends, with its queue."""
    return {entry["task"]: entry["options"]["queue"] for entry in app.conf.beat_schedule.values()}


def text_of(name: str) -> str:
    return (settings.BASE_DIR / name).read_text()


def sources() -> list[Path]:
    return [path for name in APPS for path in (settings.BASE_DIR / name).rglob("*.py")]


def test_beat_sends_every_task() -> None:
    ours = {name for name in app.tasks if name.split(".")[0] in APPS}

    assert ours == set(swept()), "config/celery.py: a nudge alone may be lost"


def test_a_nudge_names_a_swept_task_and_its_queue() -> None:
    nudged = {nudge for path in sources() for nudge in NUDGED.findall(path.read_text())}

    assert nudged
    assert nudged <= set(swept().items())


@pytest.mark.parametrize("place", ["Procfile", "compose.yaml", "livestream/rehearsal/site.py"])
def test_every_queue_has_its_worker(place: str) -> None:
    consumed = {queue for queues in CONSUMED.findall(text_of(place)) for queue in queues.split(",")}

    assert consumed == set(swept().values()) == {queue.name for queue in app.conf.task_queues}
