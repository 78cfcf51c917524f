"""The only place that speaks to object storage for bots' files.

Keys follow one layout, in a bucket or in a local folder alike:
`bots/{bot_id}/code/{version}/bot.py`. What runs is what was stored: each read is checked against the
sha256 in the database.
"""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from s3transfer.exceptions import RetriesExceededError

from bot_sdk.model_files import ModelFile
from bots.errors import ArtifactError
from bots.models import Artifact, BotVersion

CODE_FILENAME = "bot.py"
STORAGE_ERRORS = (OSError, Boto3Error, BotoCoreError, ClientError, RetriesExceededError)


def code_key(version: BotVersion) -> str:
    return str(PurePosixPath("bots", str(version.bot_id), "code", version.number, CODE_FILENAME))


def model_key(version: BotVersion, kind: str, filename: str) -> str:
    folder = PurePosixPath("bots", str(version.bot_id), "models", version.number)
    return str(folder / kind.lower() / filename)


def save_code(version: BotVersion, content: bytes) -> Artifact:
    """Store the version's one code file and pin its hash; the object comes first, the row second."""
    return _save(version, Artifact.Kind.CODE, CODE_FILENAME, code_key(version), content, framework="")


def save_model(
    version: BotVersion, kind: Artifact.Kind, filename: str, content: bytes, *, framework: str = ""
) -> Artifact:
    """Store a file beside the code, of kind MODEL, WEIGHTS or CONFIG, as `save_code` does."""
    key = model_key(version, kind, filename)
    return _save(version, kind, filename, key, content, framework=framework)


def copy_files(source: BotVersion, target: BotVersion) -> None:
    """Give the draft `target` all files of `source`. Raises ArtifactError when one cannot be read."""
    for artifact in source.artifacts.all():
        content = _read(artifact)
        if artifact.kind == Artifact.Kind.CODE:
            save_code(target, content)
        else:
            kind = Artifact.Kind(artifact.kind)
            save_model(target, kind, artifact.filename, content, framework=artifact.framework)


def delete(keys: Iterable[str]) -> None:
    """Remove objects that no row names any more."""
    for key in keys:
        storages["artifacts"].delete(key)


def read_code(version: BotVersion) -> str:
    """Return the version's source text.

    Raises ArtifactError when there is none, when storage does not answer, or when the bytes are not those
    that were published.
    """
    artifact = version.artifacts.filter(kind=Artifact.Kind.CODE).first()
    if artifact is None:
        raise ArtifactError(f"{version} has no code. Its developer has to upload it.")
    return _read(artifact).decode()


def read_models(version: BotVersion) -> tuple[ModelFile, ...]:
    """Return the version's other files, unopened: they are opened in a confined process only.

    Raises ArtifactError as `read_code` does.
    """
    artifacts = version.artifacts.exclude(kind=Artifact.Kind.CODE)
    return tuple(ModelFile(each.kind, each.filename, _read(each)) for each in artifacts)


def _read(artifact: Artifact) -> bytes:
    try:
        with storages["artifacts"].open(artifact.key) as file:
            content: bytes = file.read()
    except STORAGE_ERRORS as error:
        raise ArtifactError(
            f"{artifact.filename} of {artifact.version} cannot be read from storage; staff have to look."
        ) from error
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ArtifactError(
            f"The stored {artifact.filename} of {artifact.version} is not what was published, and does not "
            "run."
        )
    return content


def _save(
    version: BotVersion, kind: Artifact.Kind, filename: str, key: str, content: bytes, *, framework: str
) -> Artifact:
    return Artifact.objects.create(
        version=version,
        kind=kind,
        framework=framework,
        filename=filename,
        key=storages["artifacts"].save(key, ContentFile(content)),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
