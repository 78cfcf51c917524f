"""The only place that speaks to object storage for bots' files.

Keys follow one layout, in a bucket or in a local folder alike:

    bots/{bot_id}/code/{version}/bot.py
    bots/{bot_id}/models/{version}/{model|weights|config}/{filename}
    bots/{bot_id}/metadata/{version}/metadata.json

A row names its object by key and version id, and its bytes by their sha256. What runs is what was stored:
each read is checked against that hash. An object comes before its row and goes after it, so that whoever is
killed leaves at most an object that no row names, which `sweep` removes.
"""

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import cast

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.core.files.storage import storages
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from accounts.models import User
from bot_sdk.model_files import ModelFile
from bots import artifact_cache
from bots.errors import ArtifactChanged, ArtifactError, ArtifactMissing, StorageUnavailable
from bots.models import Artifact, BotVersion
from bots.object_stores import BINARY, ObjectStore, StoredObject, VersionedBucket

logger = logging.getLogger(__name__)

CODE_FILENAME = "bot.py"
METADATA_FILENAME = "metadata.json"
ROOT = "bots/"  # of all keys; the candles have a root of their own
STORAGE_ERRORS = (OSError, Boto3Error, BotoCoreError, ClientError)
LINK_SECONDS = 60
LINK_SALT = "bots.storage.link"
ORPHANED_FOR = timedelta(days=1)
SWEPT_TOGETHER = 1000  # objects


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that a version is to get; `framework` says what wrote it."""

    kind: Artifact.Kind
    filename: str
    content: bytes
    framework: str = ""


def code_key(version: BotVersion) -> str:
    return str(PurePosixPath("bots", str(version.bot_id), "code", version.number, CODE_FILENAME))


def model_key(version: BotVersion, kind: str, filename: str) -> str:
    folder = PurePosixPath("bots", str(version.bot_id), "models", version.number)
    return str(folder / kind.lower() / filename)


def metadata_key(version: BotVersion) -> str:
    return str(PurePosixPath("bots", str(version.bot_id), "metadata", version.number, METADATA_FILENAME))


def store(version: BotVersion, file: NewFile) -> Artifact:
    """Store the bytes and return their row, which is not in the database yet.

    What the key held before stays as it was, where storage keeps versions. Raises StorageUnavailable.
    """
    is_code = file.kind == Artifact.Kind.CODE
    key = code_key(version) if is_code else model_key(version, file.kind, file.filename)
    return Artifact(
        version=version,
        kind=file.kind,
        framework=file.framework,
        filename=file.filename,
        key=key,
        object_version=_put(key, file.content),
        sha256=hashlib.sha256(file.content).hexdigest(),
        size=len(file.content),
    )


def save_code(version: BotVersion, content: bytes) -> Artifact:
    """Give the version its one code file. Raises StorageUnavailable, and then nothing is left."""
    return _save(version, NewFile(Artifact.Kind.CODE, CODE_FILENAME, content))


def save_model(
    version: BotVersion, kind: Artifact.Kind, filename: str, content: bytes, *, framework: str = ""
) -> Artifact:
    """Give the version a file beside the code, of kind MODEL, WEIGHTS or CONFIG, as `save_code` does."""
    return _save(version, NewFile(kind, filename, content, framework))


def save_metadata(version: BotVersion, content: bytes) -> None:
    """Store what the bucket's readers are told about the version, in place of what they were told before.

    Raises StorageUnavailable.
    """
    key = metadata_key(version)
    try:
        earlier = [each.object for each in _store().listing(f"{PurePosixPath(key).parent}/")]
        newest = StoredObject(key, _store().put(key, content))
    except STORAGE_ERRORS as error:
        raise _unavailable(key) from error
    delete(each for each in earlier if each != newest)


def described() -> set[str]:
    """Return the keys of all metadata that is stored. Raises StorageUnavailable."""
    try:
        keys = (each.object.key for each in _store().listing(ROOT))
        return {key for key in keys if key.endswith(f"/{METADATA_FILENAME}")}
    except STORAGE_ERRORS as error:
        raise _unavailable(ROOT) from error


def copies(source: BotVersion, target: BotVersion) -> list[Artifact]:
    """Store all files of `source` for the draft `target` and return their rows, as `store` does.

    Raises ArtifactError when one cannot be copied, and then nothing is left.
    """
    stored: list[Artifact] = []
    try:
        for each in source.artifacts.all():
            file = NewFile(Artifact.Kind(each.kind), each.filename, read(each), each.framework)
            stored.append(store(target, file))
    except BaseException:
        delete((each.key, each.object_version) for each in stored)
        raise
    return stored


def delete(objects: Iterable[tuple[str, str]]) -> None:
    """Remove objects, each a key and a version id, that no row names any more.

    What storage does not remove now is left to `sweep`.
    """
    for key, version in objects:
        try:
            _store().remove(StoredObject(key, version))
        except STORAGE_ERRORS as error:
            logger.warning("%s is left in storage until it is swept: %s", key, error)


def read_code(version: BotVersion) -> str:
    """Return the version's source text.

    Raises ArtifactError when there is none, when storage does not answer, or when the bytes are not those
    that were published.
    """
    return read_source(version).decode()


def read_source(version: BotVersion) -> bytes:
    """Return the version's source as it was uploaded, before anybody knows that it is text.

    Raises ArtifactError as `read_code` does.
    """
    artifact = version.artifacts.filter(kind=Artifact.Kind.CODE).first()
    if artifact is None and version.files_removed_at:
        raise ArtifactError(f"The files of {version} were removed on {version.files_removed_at:%Y-%m-%d}.")
    if artifact is None:
        raise ArtifactError(f"{version} has no code. Its developer has to upload it.")
    return read(artifact)


def read_models(version: BotVersion) -> tuple[ModelFile, ...]:
    """Return the version's other files, unopened: they are opened in a confined process only.

    Raises ArtifactError as `read_code` does.
    """
    artifacts = version.artifacts.exclude(kind=Artifact.Kind.CODE)
    return tuple(ModelFile(each.kind, each.filename, read(each)) for each in artifacts)


def read(artifact: Artifact) -> bytes:
    """Return the file's bytes, which are those that its row pins: this machine's copy, or storage's.

    Raises StorageUnavailable when storage does not answer or has no such object, and ArtifactChanged when
    what it has is something else.
    """
    content = artifact_cache.find(artifact.sha256)
    if content is None:
        content = _fetch(artifact, _store())
        artifact_cache.keep(artifact.sha256, content)
    return content


def link(artifact: Artifact, *, person: User) -> str:
    """Return an address at which the file can be downloaded for LINK_SECONDS, as an attachment.

    Whether `person` may have it is for the caller to ask, and to write down. A bucket's link opens for
    whoever has it; the local folder's for `person` only, signed in.
    """
    store = _store()
    if not isinstance(store, VersionedBucket):
        told = {"artifact": artifact.pk, "person": person.pk}
        return reverse("bots:stored_file", args=[signing.dumps(told, salt=LINK_SALT)])
    parameters = {
        "ResponseContentDisposition": content_disposition_header(True, artifact.filename),
        "ResponseContentType": BINARY,
    }
    if artifact.object_version:
        parameters["VersionId"] = artifact.object_version
    url: str = store.url(artifact.key, parameters=parameters, expire=LINK_SECONDS)
    return url


def linked(token: str, *, person: User | AnonymousUser) -> Artifact | None:
    """Return the file that the local link is for, or None when it is over, forged or somebody else's."""
    try:
        told = signing.loads(token, salt=LINK_SALT, max_age=LINK_SECONDS)
    except signing.BadSignature:
        return None
    if told["person"] != person.pk:
        return None
    return Artifact.objects.select_related("version__bot").filter(pk=told["artifact"]).first()


def sweep() -> int:
    """Remove the objects older than ORPHANED_FOR that no row names, and return how many.

    Raises StorageUnavailable.
    """
    before = timezone.now() - ORPHANED_FOR
    removed = 0
    try:
        old = (each.object for each in _store().listing(ROOT) if each.stored_at < before)
        for objects in itertools.batched(old, SWEPT_TOGETHER):
            orphans = _orphans(objects)
            delete(orphans)
            removed += len(orphans)
    except STORAGE_ERRORS as error:
        raise _unavailable(ROOT) from error
    return removed


def take_over(place: ObjectStore) -> Iterator[Artifact]:
    """Store what the platform's storage lacks and `place` has, and yield each file that was.

    Raises ArtifactError for a file that neither has; what was done by then stays, and the rest may be done by
    another call.
    """
    for artifact in Artifact.objects.select_related("version__bot").order_by("pk"):
        try:
            _fetch(artifact, _store())
        except ArtifactError:
            artifact.object_version = _put(artifact.key, _fetch(artifact, place))
            artifact.save(update_fields=["object_version"])
            yield artifact


def _orphans(objects: Iterable[StoredObject]) -> list[StoredObject]:
    keys = {each.key for each in objects}
    rows = set(Artifact.objects.filter(key__in=keys).values_list("key", "object_version"))
    numbers = {PurePosixPath(key).parent.name for key in keys if key.endswith(f"/{METADATA_FILENAME}")}
    handed_in = BotVersion.objects.filter(number__in=numbers).exclude(state=BotVersion.State.DRAFT)
    described = {metadata_key(version) for version in handed_in.only("bot_id", "number")}
    # a row without a version id is from before they were kept: which object it means is not known
    return [
        each
        for each in objects
        if each not in rows and (each.key, "") not in rows and each.key not in described
    ]


def _fetch(artifact: Artifact, place: ObjectStore) -> bytes:
    stored = StoredObject(artifact.key, artifact.object_version)
    try:
        content = place.get(stored, artifact.size + 1)
    except STORAGE_ERRORS as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise (ArtifactMissing if is_missing else StorageUnavailable)(
            f"{artifact.filename} of {artifact.version} cannot be read from storage; staff have to look."
        ) from error
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ArtifactChanged(
            f"The stored {artifact.filename} of {artifact.version} is not what was published, and does not "
            "run."
        )
    return content


def _save(version: BotVersion, file: NewFile) -> Artifact:
    artifact = store(version, file)
    try:
        artifact.save()
    except BaseException:
        delete([(artifact.key, artifact.object_version)])
        raise
    return artifact


def _put(key: str, content: bytes) -> str:
    try:
        return _store().put(key, content)
    except STORAGE_ERRORS as error:
        raise _unavailable(key) from error


def _unavailable(key: str) -> StorageUnavailable:
    logger.warning("Storage does not answer for %s", key, exc_info=True)
    return StorageUnavailable("The storage of files does not answer just now. Try again in a few minutes.")


def _store() -> ObjectStore:
    return cast(ObjectStore, storages["artifacts"])
