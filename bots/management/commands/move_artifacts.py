from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bots import storage
from bots.errors import ArtifactError
from bots.object_stores import VersionedFolder


class Command(BaseCommand):
    help = "Take bots' files out of a local folder into where they are kept now; may be repeated."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="what ARTIFACTS_DIR was; nothing in it changes")

    def handle(self, *, folder: Path, **_options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        try:
            for artifact in storage.take_over(VersionedFolder(folder)):
                self.stdout.write(f"Moved: {artifact.key}")
        except ArtifactError as error:
            raise CommandError(str(error)) from error
