"""Compare a restored database with the exchanges, and adopt what was ordered since the backup."""

import argparse
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.errors import RestoreError
from execution.restoring import Restored, restore


class Command(BaseCommand):
    help = (
        "After a restore from a backup: halt all trading, adopt what our bots ordered since, and compare "
        "each account. Sends no order. May be stopped anywhere and run again; fails while something does "
        "not fit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=_moment,
            required=True,
            metavar="MOMENT",
            help="when the backup was made, or earlier, such as 2026-01-31T04:00Z",
        )

    def handle(self, *_: Any, since: datetime, **__: Any) -> None:
        fitting = []
        try:
            for done in restore(since=since):
                self._print(done)
                fitting.append(done.fits)
        except RestoreError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. Nothing is lost, and trading stays halted; run this again."
            ) from None
        if not all(fitting):
            raise CommandError(
                f"Accounts that do not fit: {fitting.count(False)} of {len(fitting)}. Trading stays halted. "
                "What is of unknown fate, or could not be asked, may fit when you run this again."
            )
        self.stdout.write(
            f"All accounts fit: {len(fitting)}. "
            "Trading is halted until you choose Trading at /staff/trading/."
        )

    def _print(self, done: Restored) -> None:
        self.stdout.write(
            f"{'fits' if done.fits else 'DOES NOT FIT':14}{done.account} of {done.account.owner}"
        )
        for order in done.adopted:
            where = f"{order.subscription}, placed {order.sent_at:%Y-%m-%d %H:%M} UTC"
            self._say("adopted", f"{order}, {order.get_state_display().lower()}: {where}. {order.message}")
        for says in done.strange:
            self._say("strange", f"Order {says}, is open and looks like ours, but of no subscription here.")
        for finding in done.reconciled.findings if done.reconciled else ():
            self._say(finding.kind, finding.says)
        if done.problem:
            self._say("not compared", done.problem)

    def _say(self, what: str, says: str) -> None:
        self.stdout.write(f"  {what:16}{says.strip()}")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"expected a moment with its time zone, such as 2026-01-31T04:00Z, got {text!r}"
        )
    return moment
