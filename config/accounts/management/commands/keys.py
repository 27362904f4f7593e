"""``manage.py keys``: the secrets file made, its signing keys shown, rotated and retired."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.accounts import rotation
from config.kernel import secrets


class Command(BaseCommand):
    help = "Make the secrets file, or show, rotate and retire its signing keys. Running processes notice in a second."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("init", help="make the secrets file; an existing one is left alone")
        acts.add_parser("show", help="list the keys by id, never their secrets")
        rotate = acts.add_parser("rotate", help="make new keys that sign from now on; the old ones go on verifying")
        rotate.add_argument(
            "--verify-only",
            action="store_true",
            help="the new keys only verify until `sign-with` (for machines with copies of the file)",
        )
        for act, does in (("sign-with", "let this key sign"), ("retire", "refuse what this key signed, from now on")):
            acts.add_parser(act, help=does).add_argument("kid")

    def handle(self, *, act: str, **options: Any) -> None:
        path: Path = settings.SECRETS_FILE
        match act:
            case "init":
                self.init(path)
            case "rotate" if options["verify_only"]:
                self.change(path, rotation.add_keys)
            case "rotate":
                self.change(path, rotation.rotate)
            case "sign-with":
                self.change(path, lambda found: rotation.sign_with(found, options["kid"]))
            case "retire":
                self.change(path, lambda found: rotation.retire(found, options["kid"]))
        self.show(path)

    def init(self, path: Path) -> None:
        if path.exists():
            raise CommandError(f"{path} exists; nothing was changed.")
        secrets.load(path, make_if_missing=True)
        self.stdout.write(f"Made {path}. Keep a copy safe: without it, phone numbers and voucher codes are lost.")

    def change(self, path: Path, changed: Callable[[secrets.Secrets], secrets.Secrets]) -> None:
        with secrets.one_change_at_a_time(path):
            try:
                secrets.store(path, changed(secrets.load(path, make_if_missing=False)))
            except rotation.CannotRotate as refusal:
                raise CommandError(str(refusal)) from refusal

    def show(self, path: Path) -> None:
        found = secrets.load(path, make_if_missing=False)
        for kind, keys in (("access tokens", found.token_keys), ("QR tokens", found.qr_keys)):
            for number, kid in enumerate(keys):
                self.stdout.write(f"{kid}  {kind}  {'verifies' if number else 'signs'}")
