"""The two places where bots' files may lie, alike: a bucket of S3, and a local folder.

Storing at a key never changes what lay there before: each object is a version of its key, with an id, and is
read and removed by both. In the folder a key is a directory that holds its versions.
"""

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from botocore.exceptions import ClientError
from django.core.files.storage import FileSystemStorage
from storages.backends.s3 import S3Storage

BINARY = "application/octet-stream"
FOLDER_VERSION = re.compile(r"[0-9a-f]{32}")
UNVERSIONED = ("", "null")  # S3 calls it null where a bucket keeps no versions
MISSING = ("404", "NoSuchKey", "NoSuchVersion")


class StoredObject(NamedTuple):
    """Where the bytes of one file lie; `version` is "" where the bucket kept no versions."""

    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that a store has, and when it was stored."""

    object: StoredObject
    stored_at: datetime


class ObjectStore(Protocol):
    """What both places do. Each may raise OSError or an error of boto when the place does not answer."""

    def put(self, key: str, content: bytes) -> str:
        """Store the content as the key's newest version and return its id; all of it, or nothing."""
        ...

    def get(self, stored: StoredObject, most: int) -> bytes:
        """Return at most so many bytes of the object. Raises FileNotFoundError when there is none."""
        ...

    def remove(self, stored: StoredObject) -> None:
        """Remove the object for good; nothing when it is not there."""
        ...

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Yield every object under the folder `prefix`, which ends in a slash."""
        ...


class VersionedFolder(FileSystemStorage):
    """A folder that only the platform's own user may read."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(location=location)

    def put(self, key: str, content: bytes) -> str:
        Path(self.location).mkdir(parents=True, exist_ok=True, mode=0o700)
        folder, version = Path(self.path(key)), uuid4().hex
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".part", delete_on_close=False) as part:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())  # the name must not arrive on the disk before what it names
            os.replace(part.name, folder / version)
        return version

    def get(self, stored: StoredObject, most: int) -> bytes:
        try:
            with self._path(stored).open("rb") as file:
                return file.read(most)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(str(error)) from error

    def remove(self, stored: StoredObject) -> None:
        self._path(stored).unlink(missing_ok=True)

    def listing(self, prefix: str) -> Iterator[Listed]:
        root = Path(self.location)
        for folder, _, names in os.walk(self.path(prefix)):
            for name in names:
                path = Path(folder, name)
                try:
                    stored_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                except FileNotFoundError:  # removed meanwhile
                    continue
                yield Listed(_named(path.relative_to(root)), stored_at)

    def _path(self, stored: StoredObject) -> Path:
        return Path(self.path(f"{stored.key}/{stored.version}" if stored.version else stored.key))


def _named(path: Path) -> StoredObject:
    """Return the object at the path: one without a version was stored before there were any."""
    if FOLDER_VERSION.fullmatch(path.name):
        return StoredObject(path.parent.as_posix(), path.name)
    return StoredObject(path.as_posix(), "")


class VersionedBucket(S3Storage):
    """A bucket whose versioning is on; the system check of `bots.storage_checks` says whether it is."""

    def put(self, key: str, content: bytes) -> str:
        answer = self.client.put_object(
            Bucket=self.bucket_name,
            Key=self._normalize_name(key),
            Body=content,
            ContentType=BINARY,
            # S3 refuses what does not arrive as it was sent
            ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            **self.get_object_parameters(key),
        )
        return _version(answer)

    def get(self, stored: StoredObject, most: int) -> bytes:
        try:
            answer = self.client.get_object(**self._request(stored))
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise FileNotFoundError(str(error)) from error
            raise
        with closing(answer["Body"]) as body:
            content: bytes = body.read(most)
        return content

    def remove(self, stored: StoredObject) -> None:
        self.client.delete_object(**self._request(stored))

    def listing(self, prefix: str) -> Iterator[Listed]:
        pages = self.client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.bucket_name, Prefix=self._normalize_name(prefix)):
            for each in page.get("Versions", ()):
                yield Listed(StoredObject(each["Key"], _version(each)), each["LastModified"])

    @property
    def client(self) -> Any:
        """The client of S3 that belongs to this thread."""
        return self.connection.meta.client

    def _request(self, stored: StoredObject) -> dict[str, str]:
        request = {"Bucket": self.bucket_name, "Key": self._normalize_name(stored.key)}
        return request | ({"VersionId": stored.version} if stored.version else {})


def _version(answer: Any) -> str:
    version: str = answer.get("VersionId") or ""
    return "" if version in UNVERSIONED else version
