"""Run a folder of attacks against this machine's sandbox."""

import json
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.sandbox import SandboxUnavailable
from execution.sandbox.attacks import Attack, Canaries, attempt, gain_of, read_attack, set_out
from execution.sandbox.choice import ENGINES, engine_named, prove
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import inspect_in

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attack: `actual` has the verdict of each run, `gain` what it got."""

    attack: Attack
    actual: list[str]
    message: str
    gain: str
    is_refused_by_policy: bool

    @property
    def is_as_expected(self) -> bool:
        return not self.gain and self.attack.expected.issuperset(self.actual)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.attack.name,
            "category": self.attack.category,
            "expected": sorted(self.attack.expected),
            "actual": self.actual,
            "message": self.message,
            "gain": self.gain,
            "is_refused_by_policy": self.is_refused_by_policy,
            "as_expected": self.is_as_expected,
        }


class Command(BaseCommand):
    help = (
        "Run every attack (*.py) in a folder confined; fail if one gets out or ends otherwise than it says."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)
        names = [engine.name for engine in ENGINES]
        parser.add_argument("--engine", choices=names, help="default: the one that workers choose")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: Any, directory: Path, engine: str | None, as_json: bool, **__: Any) -> None:
        attacks = _read(directory)
        try:
            chosen = engine_named(engine) if engine else prove()
            layers = chosen.layers()
        except SandboxUnavailable as error:
            raise CommandError(str(error)) from error
        with (
            closing(Nursery(chosen, layers)) as nursery,
            set_out() as canaries,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            outcomes = list(pool.map(lambda attack: _try(nursery, attack, canaries), attacks))
            touched = canaries.were_touched()
        if as_json:
            found = {
                "engine": chosen.name,
                "layers": layers,
                "attacks": [each.as_dict() for each in outcomes],
            }
            self.stdout.write(json.dumps(found, indent=2))
        else:
            self._print(outcomes)
        different = [outcome.attack.name for outcome in outcomes if not outcome.is_as_expected]
        if touched:
            raise CommandError("A canary was touched: some attack got out.")
        if different:
            raise CommandError(f"{len(different)} of {len(outcomes)} attacks did not end as they should.")
        refused = sum(outcome.is_refused_by_policy for outcome in outcomes)
        self.stderr.write(f"The static policy, a first filter only, would have refused {refused} of them.")
        self.stderr.write(f"{len(outcomes)} attacks ended as they should under {chosen.name}.")

    def _print(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            mark = "  " if outcome.is_as_expected else "! "
            expected, actual = "|".join(sorted(outcome.attack.expected)), ", ".join(outcome.actual)
            self.stdout.write(
                f"{mark}{outcome.attack.name:40} {expected:30} {actual} {outcome.gain}".rstrip()
            )


def _read(directory: Path) -> list[Attack]:
    try:
        attacks = [read_attack(path) for path in sorted(directory.glob("*.py"))]
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    if not attacks:
        raise CommandError(f"There is no attack in {directory}: expected files *.py.")
    return attacks


def _try(nursery: Nursery, attack: Attack, canaries: Canaries) -> Outcome:
    runs = attempt(nursery, attack, canaries)
    findings = inspect_in(nursery, attack.code.encode(errors="surrogateescape"))
    is_refused = any(finding.is_refusal for finding in findings)
    return Outcome(attack, [run.verdict.value for run in runs], runs[-1].message, gain_of(runs), is_refused)
