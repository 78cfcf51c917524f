from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from bot_sdk.configs import RiskConfig
from bots.errors import StorageUnavailable
from bots.models import Bot
from bots.publishing import publish_version
from bots.storage import read_code
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db


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
    with pytest.raises(StorageUnavailable):
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
