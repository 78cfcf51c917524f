"""`manage.py check --deploy`: whether the place of bots' files keeps them as the platform counts on.

A bucket is tried out, with a small object of its own.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.files.storage import storages

from bots.object_stores import StoredObject, VersionedBucket
from bots.storage import ROOT, STORAGE_ERRORS

CONTENT = b"Written and removed by manage.py check --deploy."
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@register(Tags.files, deploy=True)
def check_storage(**_: Any) -> list[CheckMessage]:
    """Return what is wrong with the bucket; the local folder has no settings that could be."""
    store = storages["artifacts"]
    if not isinstance(store, VersionedBucket):
        return []
    try:
        return [*_tried_out(store), *_privacy(store)]
    except STORAGE_ERRORS as error:
        return [
            Error(
                f"The bucket {store.bucket_name} cannot be used: {error}",
                hint="The platform has to put, get, list and delete objects and their versions in it, under "
                f"{ROOT} and candles/.",
                id="bots.E001",
            )
        ]


def _tried_out(store: VersionedBucket) -> Iterator[CheckMessage]:
    key = f"{ROOT}check/{uuid4().hex}"
    stored = StoredObject(key, store.put(key, CONTENT))
    try:
        if not stored.version:
            yield Error(
                f"The bucket {store.bucket_name} keeps no versions of its objects.",
                hint=f"aws s3api put-bucket-versioning --bucket {store.bucket_name} "
                "--versioning-configuration Status=Enabled",
                id="bots.E002",
            )
        if store.get(stored, len(CONTENT) + 1) != CONTENT or stored not in _listed(store, key):
            yield Error(f"The bucket {store.bucket_name} does not give back what was stored.", id="bots.E003")
        facts = store.client.head_object(Bucket=store.bucket_name, Key=key)
        if "ServerSideEncryption" not in facts:
            yield Warning(
                f"The bucket {store.bucket_name} does not encrypt what it stores.",
                hint="Set S3_ENCRYPTION to AES256 or aws:kms, or have the server's disks encrypted.",
                id="bots.W001",
            )
    finally:
        store.remove(stored)


def _listed(store: VersionedBucket, key: str) -> list[StoredObject]:
    return [each.object for each in store.listing(key)]


def _privacy(store: VersionedBucket) -> Iterator[CheckMessage]:
    try:
        answer = store.client.get_public_access_block(Bucket=store.bucket_name)
    except ClientError as error:
        open_to = [error.response["Error"]["Code"]]
    else:
        blocks = answer["PublicAccessBlockConfiguration"]
        open_to = [block for block in BLOCKS if not blocks.get(block)]
    if open_to:
        yield Warning(
            f"Nothing says that the bucket {store.bucket_name} can never be opened to the public: "
            f"{', '.join(open_to)}.",
            hint=f"aws s3api put-public-access-block --bucket {store.bucket_name} "
            f"--public-access-block-configuration {','.join(f'{block}=true' for block in BLOCKS)}",
            id="bots.W002",
        )
