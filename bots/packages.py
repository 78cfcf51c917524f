"""A version as one download, and metadata.json, which says what it is to whoever looks into storage.

Both are derived from the rows: the platform reads neither back.
"""

import json
import logging
import zipfile
from tempfile import TemporaryFile
from typing import IO, Any

from bots import storage
from bots.errors import StorageUnavailable
from bots.models import Artifact, BotVersion
from bots.package_archive import METADATA

logger = logging.getLogger(__name__)

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
REGULAR_FILE = 0o100644 << 16
UNIX = 3


def metadata_of(version: BotVersion) -> dict[str, Any]:
    """Return what metadata.json says of the version, the same for the same rows."""
    bot = version.bot
    return {
        "bot": {"id": bot.pk, "name": bot.name, "slug": bot.slug, "type": bot.bot_type},
        "version": version.number,
        "submitted_at": version.submitted_at and version.submitted_at.isoformat(),
        "published_at": version.published_at and version.published_at.isoformat(),
        "release_notes": version.release_notes,
        "parameters": version.parameters,
        "risk_defaults": version.risk_defaults,
        "warm_up": version.warm_up,
        "files": [
            {
                "kind": each.kind,
                "filename": each.filename,
                "framework": each.framework,
                "key": each.key,
                "object_version": each.object_version,
                "sha256": each.sha256,
                "size": each.size,
            }
            for each in version.artifacts.all()
        ],
    }


def describe(version: BotVersion) -> None:
    """Store the version's metadata.json. Without storage it is stored by the next `describe_missing`."""
    try:
        storage.save_metadata(version, _json(version))
    except StorageUnavailable as error:
        logger.warning("%s is not described in storage yet: %s", version, error)


def describe_missing() -> int:
    """Store the metadata.json of each version that was handed in and has none, and return how many."""
    handed_in = BotVersion.objects.exclude(state=BotVersion.State.DRAFT).select_related("bot")
    described = storage.described()
    missing = [version for version in handed_in if storage.metadata_key(version) not in described]
    for version in missing:
        describe(version)
    return len(missing)


def pack(version: BotVersion) -> IO[bytes]:
    """Return the version's files and metadata.json as a zip in a temporary file, the same for the same rows.

    `uploads.put_package` takes it again. Raises ArtifactError when a file cannot be read.
    """
    file = TemporaryFile()  # noqa: SIM115 - the caller's, which closes it
    try:
        with zipfile.ZipFile(file, "w") as archive:
            for artifact in version.artifacts.all():
                archive.writestr(_entry(_path(artifact)), storage.read(artifact))
            archive.writestr(_entry(METADATA), _json(version))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def filename(version: BotVersion) -> str:
    """Return what the download of the version is called."""
    return f"{version.bot.slug}-{version.number}.zip"


def _path(artifact: Artifact) -> str:
    if artifact.kind == Artifact.Kind.CODE:
        return storage.CODE_FILENAME
    return f"models/{artifact.kind.lower()}/{artifact.filename}"


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, LONG_AGO)  # not compressed: what zlib makes of it depends on its version
    entry.create_system = UNIX
    entry.external_attr = REGULAR_FILE
    return entry


def _json(version: BotVersion) -> bytes:
    return json.dumps(metadata_of(version), indent=2, ensure_ascii=False).encode() + b"\n"
