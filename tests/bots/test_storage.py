import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from bots.errors import ArtifactError
from bots.models import Bot
from bots.publishing import publish_version
from bots.storage import code_key, read_code
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db


def test_what_is_published_is_what_is_read() -> None:
    bot = make_bot(code=BUYING_BOT)

    assert bot.current_version is not None
    assert read_code(bot.current_version) == BUYING_BOT
    assert bot.current_version.artifacts.get().key == f"bots/{bot.pk}/code/v1.0.0/bot.py"


def test_one_changed_byte_is_refused(settings: Settings) -> None:
    version = make_bot().current_version
    assert version is not None
    path = settings.STORAGES["artifacts"]["OPTIONS"]["location"] / code_key(version)
    path.write_bytes(path.read_bytes().replace(b"BUY", b"BUZ", 1))

    with pytest.raises(ArtifactError, match="not what was published"):
        read_code(version)


def test_a_missing_object_is_refused(settings: Settings) -> None:
    version = make_bot().current_version
    assert version is not None
    (settings.STORAGES["artifacts"]["OPTIONS"]["location"] / code_key(version)).unlink()

    with pytest.raises(ArtifactError, match="cannot be read"):
        read_code(version)


def test_publishing_a_newer_version_makes_it_current() -> None:
    bot = make_bot()

    newer = publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)

    assert Bot.objects.get(pk=bot.pk).current_version == newer


@pytest.mark.parametrize("number", ["1.0.0", "v1", "v1.0.0-beta", "../v1.0.0", "v1.0.0"])
def test_a_malformed_or_taken_version_number_is_refused(number: str) -> None:
    bot = make_bot()

    with pytest.raises(ValidationError):
        publish_version(bot=bot, number=number, code=BUYING_BOT)
