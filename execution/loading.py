"""Read a version's files for a run: they are those that were approved, or it is stopped."""

from bot_sdk.model_files import ModelFile
from bots import publishing, storage
from bots.errors import ArtifactChanged
from bots.models import BotVersion
from execution.alarms import Trouble, alarm

Package = tuple[str, tuple[ModelFile, ...]]  # a version's code, and its other files


def load(version: BotVersion) -> Package:
    """Return the version's code and its other files, unopened.

    When one is not what was approved, the version is put in quarantine and the operator told. Raises
    ArtifactError as `storage.read_code` does.
    """
    try:
        return storage.read_code(version), storage.read_models(version)
    except ArtifactChanged as error:
        publishing.quarantine(version, str(error))
        alarm(Trouble.FILE_WAS_CHANGED, str(error))
        raise
