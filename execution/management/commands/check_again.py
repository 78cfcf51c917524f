"""Have the checks of versions go on that lost their workers too often."""

from typing import Any

from django.core.management.base import BaseCommand

from bots.models import GateRun
from execution import gate


class Command(BaseCommand):
    help = (
        "Begin the checks again that stand still (alarm gate-stands-still), when what stopped them is mended."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        for run in GateRun.objects.filter(
            state=GateRun.State.WAITING, attempts__gte=gate.MOST_ATTEMPTS
        ).select_related("version__bot"):
            gate.begin_again(run=run)
            self.stdout.write(f"{run.version} is checked again.")
