"""What a developer may upload into a draft: looked at before anything is stored, and never run or opened.

Each operation raises ValidationError for what cannot be taken, and then has changed nothing; PublishingError
when the version is no draft any more, or the developer has no room; MayNotPublish, but for taking a file
away; TooManyUploads; InspectionUnavailable; and StorageUnavailable. New objects are stored beside the old
ones; then one transaction has the rows name them; then the old ones go. So a file is always the old one or
the new one, and whoever is killed leaves an object that `storage.sweep` removes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.module_loading import import_string

from bot_sdk.code_policy import Finding
from bot_sdk.gate_steps import findings_of
from bot_sdk.model_files import ModelFileError, ending_of
from bot_sdk.runner import RunUnavailable
from bots import storage
from bots.drafting import check_has_room, check_may_publish, locked_draft
from bots.errors import InspectionUnavailable, TooManyUploads
from bots.models import Artifact, BotVersion
from bots.package_archive import PackageEntry, read_package
from bots.storage import NewFile

MOST_FILE_BYTES = 64 << 20
MOST_VERSION_BYTES = 128 << 20  # of all files of a version
MOST_FORM_BYTES = MOST_VERSION_BYTES + (1 << 20)  # of a request with files
MOST_FILES = 20
MOST_AT_ONCE = 3  # uploads of one developer
ADVISORY_LOCKS = 0x75706C  # the first of MOST_AT_ONCE numbers that are no other lock's

MODEL_KINDS = (Artifact.Kind.MODEL, Artifact.Kind.WEIGHTS, Artifact.Kind.CONFIG)
FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
FRAMEWORK = re.compile(r"(?:[A-Za-z][A-Za-z0-9 .+_-]{0,39})?")


def put_code(*, version: BotVersion, content: bytes) -> Artifact:
    """Give the draft its code, in place of any that it has."""
    with _turn(version):
        return _replace(version, [_code(content)], is_whole=False)[0]


def put_model(
    *, version: BotVersion, kind: str, filename: str, content: bytes, framework: str = ""
) -> Artifact:
    """Give the draft a file of kind MODEL, WEIGHTS or CONFIG, in place of one of that kind and name.

    The bot finds it under its name, so that a name which cannot be taken is refused and not changed.
    `framework` says what wrote the file, such as "sklearn"; "" when nobody said.
    """
    with _turn(version):
        return _replace(version, [_model(kind, filename, content, framework)], is_whole=False)[0]


def put_package(*, version: BotVersion, file: IO[bytes]) -> list[Artifact]:
    """Give the draft exactly the files of a package: a zip with bot.py and models/{kind}/{filename}.

    That is what a download of a version is; its metadata.json is left out. All is checked before anything is
    unpacked. What wrote the models is kept from files of the same name that the draft has.
    """
    frameworks = {(each.kind, each.filename): each.framework for each in version.artifacts.all()}
    with _turn(version):
        files = [_packed(entry, frameworks) for entry in read_package(file, most_bytes=MOST_VERSION_BYTES)]
        return _replace(version, files, is_whole=True)


def remove_file(*, version: BotVersion, artifact: Artifact) -> None:
    """Take one of its files from the draft; nothing when it is gone already."""
    with transaction.atomic():
        locked_draft(version)
        mine = Artifact.objects.filter(pk=artifact.pk, version=version)
        objects = list(mine.values_list("key", "object_version"))
        mine.delete()
        transaction.on_commit(lambda: storage.delete(objects))


def _code(content: bytes) -> NewFile:
    if not content.strip():
        raise ValidationError("bot.py is empty. Expected the code of a bot.")
    refused = [
        f"Line {found.line}: {found.message}"
        for found in findings_of("source", _inspected(content))
        if found.is_refusal
    ]
    if refused:
        raise ValidationError(refused)
    return NewFile(Artifact.Kind.CODE, storage.CODE_FILENAME, content)


def _inspected(content: bytes) -> Sequence[Finding]:
    # by name: processes that read a stranger's code are started above this app
    inspect: Callable[[bytes], Sequence[Finding]] = import_string(settings.BOT_CODE_INSPECTION)
    try:
        return inspect(content)
    except RunUnavailable as error:
        raise InspectionUnavailable(str(error)) from error


def _model(kind: str, filename: str, content: bytes, framework: str) -> NewFile:
    if kind not in MODEL_KINDS:
        raise ValidationError(f"Expected the kind to be one of {', '.join(MODEL_KINDS)}.")
    if not FILENAME.fullmatch(filename):
        raise ValidationError(
            "Expected a file name of at most 100 letters, digits, dots, dashes and underscores, such as "
            "scaler.pkl. Rename the file."
        )
    if not FRAMEWORK.fullmatch(framework):
        raise ValidationError("Expected a framework's name, such as sklearn, or nothing.")
    if len(content) > MOST_FILE_BYTES:
        raise ValidationError(f"{filename} is larger than {MOST_FILE_BYTES >> 20} MB.")
    try:
        ending_of(filename, content)
    except ModelFileError as error:
        raise ValidationError(str(error)) from error
    return NewFile(Artifact.Kind(kind), filename, content, framework)


def _packed(entry: PackageEntry, frameworks: dict[tuple[str, str], str]) -> NewFile:
    if entry.kind == Artifact.Kind.CODE:
        return _code(entry.content)
    framework = frameworks.get((entry.kind, entry.filename), "")
    return _model(entry.kind, entry.filename, entry.content, framework)


def _replace(version: BotVersion, files: Sequence[NewFile], *, is_whole: bool) -> list[Artifact]:
    """Have the files in the draft, in place of those with their keys, or of all when they are the `whole`."""
    with transaction.atomic():  # before anything is stored in vain
        locked_draft(version)
    stored: list[Artifact] = []
    try:
        for file in files:
            stored.append(storage.store(version, file))
        with transaction.atomic():
            replaced = locked_draft(version).artifacts.all()
            if not is_whole:
                replaced = replaced.filter(key__in=[each.key for each in stored])
            gone = set(replaced.values_list("key", "object_version"))
            replaced.delete()
            Artifact.objects.bulk_create(stored)
            _require_fit(version.artifacts.all())
            check_has_room(version.bot.developer)
    except BaseException:
        storage.delete(_objects(stored))
        raise
    transaction.on_commit(lambda: storage.delete(gone - _objects(stored)))
    return stored


def _objects(artifacts: Iterable[Artifact]) -> set[tuple[str, str]]:
    return {(each.key, each.object_version) for each in artifacts}


def _require_fit(artifacts: Iterable[Artifact]) -> None:
    files = list(artifacts)
    if len(files) > MOST_FILES:
        raise ValidationError(f"A version has at most {MOST_FILES} files. Remove some, or put some together.")
    if sum(each.size for each in files) > MOST_VERSION_BYTES:
        raise ValidationError(f"The files of a version have at most {MOST_VERSION_BYTES >> 20} MB together.")
    names: dict[str, Artifact] = {}
    for each in files:
        other = names.setdefault(each.key.casefold(), each)
        if other is not each:
            raise ValidationError(
                f"{other.filename} and {each.filename} differ in capital letters only. Rename one of them."
            )


@contextmanager
def _turn(version: BotVersion) -> Iterator[None]:
    """Hold one of the developer's places; the database frees it when the process dies."""
    check_may_publish(version.bot.developer)
    developer_id = version.bot.developer_id
    with connection.cursor() as cursor:
        for lock in range(ADVISORY_LOCKS, ADVISORY_LOCKS + MOST_AT_ONCE):
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, developer_id])
            if cursor.fetchone() == (True,):
                break
        else:
            raise TooManyUploads(
                f"{MOST_AT_ONCE} of your uploads are under way. Wait until one of them is done."
            )
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, developer_id])
