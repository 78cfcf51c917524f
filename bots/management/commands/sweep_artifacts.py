from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots import packages, storage
from bots.errors import StorageUnavailable


class Command(BaseCommand):
    help = "Remove from storage what no row names and is older than a day; workers do so every day."

    def handle(self, **_options: Any) -> None:
        try:
            self.stdout.write(f"Removed: {storage.sweep()} objects that no row names.")
            self.stdout.write(f"Described: {packages.describe_missing()} versions.")
        except StorageUnavailable as error:
            raise CommandError(str(error)) from error
