from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from bot_sdk.configs import RiskConfig
from bot_sdk.effective_limits import Source
from bots.models import BotVersion
from tests.factories import make_bot, make_subscription

pytestmark = pytest.mark.django_db


def test_a_weak_choice_gives_way_to_the_platform(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal("12.5"), "max_orders_per_day": 50}
    subscription = make_subscription(risk_config={"max_position_size": 20.0, "stop_loss_percent": 5.0})

    assert subscription.risk == RiskConfig(
        max_position_size=Decimal("12.5"), stop_loss_percent=Decimal(5), max_orders_per_day=50
    )
    assert subscription.risk_config == {"max_position_size": 20.0, "stop_loss_percent": 5.0}


def test_a_bot_is_told_the_limits_in_force(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_drawdown_percent": Decimal("12.5"), "max_orders_per_day": 50}
    subscription = make_subscription(risk_config={"stop_loss_percent": 5.0})

    assert subscription.config["risk_config"] == {
        "stop_loss_percent": 5.0,
        "max_drawdown_percent": 12.5,
        "max_orders_per_day": 50,
    }


def test_without_limits_of_the_platform_a_bot_is_told_what_was_chosen(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {}
    subscription = make_subscription(risk_config={"stop_loss_percent": 5.0, "max_orders_per_day": 3})

    assert subscription.config["risk_config"] == subscription.risk_config


def test_a_limit_of_the_platform_holds_for_what_runs_already(settings: Settings) -> None:
    subscription = make_subscription(risk_config={})
    assert subscription.risk == RiskConfig(max_orders_per_day=200)

    settings.PLATFORM_RISK_LIMITS = {"cool_down_minutes": 15}

    assert subscription.risk == RiskConfig(cool_down_minutes=15)


def test_each_limit_names_who_set_it(settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(10)}
    bot = make_bot(risk_defaults={"stop_loss_percent": 3, "take_profit_percent": 6})
    chosen = {"stop_loss_percent": 3.0, "take_profit_percent": 9.0, "max_position_size": 20.0}
    subscription = make_subscription(bot=bot, risk_config=chosen)

    sources = {limit.name: limit.source for limit in subscription.limits_in_force}

    assert sources["stop_loss_percent"] == Source.DEVELOPER
    assert sources["take_profit_percent"] == Source.TRADER
    assert sources["max_position_size"] == Source.PLATFORM
    assert sources["cool_down_minutes"] == Source.NOBODY


def test_what_a_newer_version_proposes_changes_nothing_for_older_subscriptions(settings: Settings) -> None:
    subscription = make_subscription(risk_config={"stop_loss_percent": 5.0})
    BotVersion.objects.create(bot=subscription.bot, number="v2.0.0", risk_defaults={"stop_loss_percent": 1})

    assert subscription.risk.stop_loss_percent == 5
    assert subscription.limits_in_force[0].source == Source.TRADER
