"""The two places of bots' files: a local folder, and a bucket over S3's own protocol."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer
from pytest_django.fixtures import Settings

from marketplace.settings import STORAGE_OPTIONS

KEYS: dict[str, Any] = {"access_key": "testing", "secret_key": "testing"}

MakeBucket = Callable[..., None]


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def use_bucket(s3_url: str, settings: Settings) -> MakeBucket:
    """Have bots' files in a new bucket, by default one that keeps versions."""

    def use(*, is_versioned: bool = True, **options: Any) -> None:
        name = f"bots-{uuid.uuid4()}"
        client = boto3.client(
            "s3",
            endpoint_url=s3_url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )
        client.create_bucket(Bucket=name)
        if is_versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        options = {**STORAGE_OPTIONS, **KEYS, "bucket_name": name, "endpoint_url": s3_url} | options
        backend = {"BACKEND": "bots.object_stores.VersionedBucket", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"artifacts": backend}

    return use


@pytest.fixture(params=["folder", "bucket"])
def kept_in(request: pytest.FixtureRequest) -> str:
    place: str = request.param
    if place == "bucket":
        request.getfixturevalue("use_bucket")()
    return place


@pytest.fixture
def store(kept_in: str) -> Any:
    """The place itself, an ObjectStore which is empty."""
    return stored_in()


def stored_in() -> Any:
    """Return the place of bots' files as the settings name it now."""
    return storages["artifacts"]
