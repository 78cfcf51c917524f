"""Look whether the books of this database keep their rules."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import audit
from execution.invariants import INVARIANTS, Breach, find_breaches


class Command(BaseCommand):
    help = "Check the rules that the books must keep; fail when one is broken. Nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        now = timezone.now()
        breaches = find_breaches(now)
        if as_json:
            found = {
                "at": now.isoformat(),
                "rules": {rule.name: rule.promise for rule in INVARIANTS},
                "breaches": [breach.to_dict() for breach in breaches],
            }
            self.stdout.write(json.dumps(found, indent=2))
        else:
            self._print(breaches)
        if breaches:
            broken = len({breach.rule for breach in breaches})
            raise CommandError(f"{broken} of {len(INVARIANTS)} rules are broken.")

    def _print(self, breaches: list[Breach]) -> None:
        for rule in INVARIANTS:
            own = [breach for breach in breaches if breach.rule == rule.name]
            self.stdout.write(f"{'BROKEN' if own else 'ok':8}{rule.name:28}{rule.promise}")
            for breach in own:
                self.stdout.write(f"{'':8}{breach.row:28}{breach.says}")
        self.stdout.write(audit.say_head())
