"""The catalogue of topics is what the apps announce."""

import re

from django.conf import settings

from config.kernel.outbox import TOPICS

APPS = ("stores", "vouchers", "orders", "livestream")
ANNOUNCED = re.compile(r"""(?:topic=|Message\(\s*[\w.]+,\s*)["']([a-z_]+\.[a-z_]+)["']""")


def test_every_announced_topic_can_be_subscribed_to_and_no_other() -> None:
    sources = [path.read_text() for app in APPS for path in (settings.BASE_DIR / app).rglob("*.py")]

    announced = {topic for source in sources for topic in ANNOUNCED.findall(source)}

    assert announced == set(TOPICS), "config/kernel/outbox.py lists the topics"
