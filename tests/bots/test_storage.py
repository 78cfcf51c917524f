"""One contract for both places of bots' files: a local folder, and a bucket over S3's own protocol."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer
from pytest_django.fixtures import Settings

from bot_sdk.configs import RiskConfig
from bots.errors import ArtifactError
from bots.models import Bot, BotVersion
from bots.publishing import publish_version
from bots.storage import code_key, read_code
from marketplace.settings import STORAGE_OPTIONS
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db

BUCKET = "trading-bot-storage"
KEYS: dict[str, Any] = {"access_key": "testing", "secret_key": "testing"}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def kept_in(request: pytest.FixtureRequest, settings: Settings) -> str:
    place: str = request.param
    if place == "bucket":
        url = request.getfixturevalue("s3_url")
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )
        client.create_bucket(Bucket=BUCKET)
        options = {**STORAGE_OPTIONS, **KEYS, "bucket_name": BUCKET, "endpoint_url": url}
        backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"artifacts": backend}
    return place


@pytest.fixture
def version(kept_in: str) -> BotVersion:
    current = make_bot(code=BUYING_BOT).current_version
    assert current is not None
    return current


def test_what_is_published_is_what_is_read(version: BotVersion) -> None:
    assert read_code(version) == BUYING_BOT
    assert version.artifacts.get().key == f"bots/{version.bot_id}/code/v1.0.0/bot.py"
    assert storages["artifacts"].exists(code_key(version))


def swap(version: BotVersion) -> None:
    storages["artifacts"].delete(code_key(version))
    with storages["artifacts"].open(code_key(version), "wb") as file:
        file.write(BUYING_BOT.replace("BUY", "BUZ", 1).encode())


def remove(version: BotVersion) -> None:
    storages["artifacts"].delete(code_key(version))


@pytest.mark.parametrize(
    ("harm", "message"), [(swap, "not what was published"), (remove, "cannot be read from storage")]
)
def test_a_changed_or_missing_object_is_refused(
    version: BotVersion, harm: Callable[[BotVersion], None], message: str
) -> None:
    harm(version)

    with pytest.raises(ArtifactError, match=message):
        read_code(version)


def test_a_bucket_that_does_not_answer_is_an_artifact_error(settings: Settings) -> None:
    version = make_bot().current_version
    assert version is not None
    options = {**STORAGE_OPTIONS, **KEYS, "bucket_name": BUCKET, "endpoint_url": "http://127.0.0.1:9"}
    backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"artifacts": backend}

    with pytest.raises(ArtifactError, match="cannot be read from storage"):
        read_code(version)


def test_publishing_a_newer_version_makes_it_current() -> None:
    bot = make_bot()

    newer = publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)

    assert Bot.objects.get(pk=bot.pk).current_version == newer


def test_a_publication_that_fails_in_storage_leaves_nothing_and_can_be_repeated(
    settings: Settings, tmp_path: Path
) -> None:
    bot = make_bot()
    working = settings.STORAGES
    (tmp_path / "file").touch()
    broken = {"BACKEND": working["artifacts"]["BACKEND"], "OPTIONS": {"location": tmp_path / "file"}}
    settings.STORAGES = working | {"artifacts": broken}
    with pytest.raises(OSError):
        publish_version(bot=bot, number="v2.0.0", code=BUYING_BOT)
    settings.STORAGES = working

    version = publish_version(bot=bot, number="v2.0.0", code=BUYING_BOT)

    assert read_code(version) == BUYING_BOT
    assert bot.versions.filter(number="v2.0.0").count() == 1


def test_publishing_does_not_list_a_bot_that_staff_suspended() -> None:
    bot = make_bot()
    Bot.objects.update(state=Bot.State.SUSPENDED)

    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)

    assert Bot.objects.get().state == Bot.State.SUSPENDED


def test_code_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="not text in UTF-8"):
        publish_version(bot=make_bot(), number="v1.1.0", code="lone \ud800 surrogate")


@pytest.mark.parametrize("number", ["1.0.0", "v1", "v1.0.0-beta", "../v1.0.0", "v1.0.0\n", "v1.0.0"])
def test_a_malformed_or_taken_version_number_is_refused(number: str) -> None:
    bot = make_bot()

    with pytest.raises(ValidationError):
        publish_version(bot=bot, number=number, code=BUYING_BOT)


def test_the_risk_limits_that_a_developer_proposes_are_kept() -> None:
    proposed = {"stop_loss_percent": Decimal("2.5"), "cool_down_minutes": 30, "take_profit_percent": None}

    version = publish_version(bot=make_bot(), number="v1.1.0", code="", risk_defaults=proposed)

    version.refresh_from_db()
    assert version.risk_defaults == {"stop_loss_percent": 2.5, "cool_down_minutes": 30}
    assert version.proposed_risk == RiskConfig(stop_loss_percent=Decimal("2.5"), cool_down_minutes=30)


@pytest.mark.parametrize("proposed", [{"stop_loss": 5}, {"stop_loss_percent": 0}, {"cool_down_minutes": "5"}])
def test_a_proposed_limit_that_is_none_is_refused_before_anything_is_stored(proposed: dict[str, Any]) -> None:
    bot = make_bot()

    with pytest.raises(ValidationError) as caught:
        publish_version(bot=bot, number="v1.1.0", code="", risk_defaults=proposed)

    assert caught.value.message_dict["risk_defaults"][0].startswith(f"{next(iter(proposed))}: ")
    assert bot.versions.count() == 1
