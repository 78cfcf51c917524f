import json
from decimal import Decimal
from typing import Any

import pytest

from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.parameters import ConfigError

GUIDE_EXECUTION = {"buy_order_type": "PERCENTAGE", "buy_order_value": 10.0, "sell_order_type": "ALL"}
GUIDE_RISK = {"stop_loss_percent": 5.0, "take_profit_percent": 10.0, "max_position_size": 20.0}


def problems_of(config: type[ExecutionConfig] | type[RiskConfig], given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(given)
    return caught.value.problems


def test_the_guides_configurations_come_back_as_they_went_in() -> None:
    assert json.loads(json.dumps(ExecutionConfig.parse(GUIDE_EXECUTION).to_dict())) == GUIDE_EXECUTION
    assert json.loads(json.dumps(RiskConfig.parse(GUIDE_RISK).to_dict())) == GUIDE_RISK


def test_a_float_becomes_the_decimal_that_was_typed() -> None:
    assert RiskConfig.parse({"stop_loss_percent": 0.1}).stop_loss_percent == Decimal("0.1")


def test_a_limit_that_is_absent_or_none_is_off() -> None:
    assert RiskConfig.parse({"stop_loss_percent": None}) == RiskConfig()
    assert RiskConfig().to_dict() == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stop_loss_percent", 0, "Enter a number above zero, not 0."),
        ("stop_loss_percent", 100.01, "Enter 100 or less, not 100.01."),
        ("take_profit_percent", 1000.5, "Enter 1000 or less, not 1000.5."),
        ("max_position_size", float("nan"), "Enter a number above zero, not nan."),
        ("max_position_size", True, "Enter a number, not True."),
        ("max_position_size", "20", "Enter a number, not '20'."),
        (
            "stop_loss",
            5,
            "'stop_loss' is unknown; use stop_loss_percent, trailing_stop_percent, take_profit_percent, "
            "max_position_size, max_daily_loss_percent, max_drawdown_percent, cool_down_minutes, "
            "max_orders_per_day.",
        ),
        ("trailing_stop_percent", 0, "Enter a number above zero, not 0."),
        ("trailing_stop_percent", 100.5, "Enter 100 or less, not 100.5."),
        ("max_daily_loss_percent", -1, "Enter a number above zero, not -1."),
        ("max_drawdown_percent", 101, "Enter 100 or less, not 101."),
        ("cool_down_minutes", 0, "Enter a whole number from 1 to 10080, not 0."),
        ("cool_down_minutes", 2.5, "Enter a whole number from 1 to 10080, not 2.5."),
        ("cool_down_minutes", 10081, "Enter a whole number from 1 to 10080, not 10081."),
        ("cool_down_minutes", float("inf"), "Enter a whole number from 1 to 10080, not inf."),
        ("max_orders_per_day", 1001, "Enter a whole number from 1 to 1000, not 1001."),
        ("max_orders_per_day", Decimal("1E+400"), "Enter a whole number from 1 to 1000, not 1E+400."),
        ("max_orders_per_day", True, "Enter a number, not True."),
    ],
)
def test_a_wrong_limit_is_explained_at_its_field(name: str, value: Any, message: str) -> None:
    assert problems_of(RiskConfig, {name: value}) == {name: message}


def test_the_highest_limits_are_allowed() -> None:
    highest = {
        "stop_loss_percent": 100,
        "trailing_stop_percent": 100,
        "take_profit_percent": 1000,
        "max_position_size": 100,
        "max_daily_loss_percent": 100,
        "max_drawdown_percent": 100,
        "cool_down_minutes": 10_080,
        "max_orders_per_day": 1000,
    }

    assert RiskConfig.parse(highest).to_dict() == highest


def test_a_count_stays_a_whole_number() -> None:
    config = RiskConfig.parse({"cool_down_minutes": 30.0, "max_orders_per_day": Decimal(5)})

    assert json.dumps(config.to_dict()) == '{"cool_down_minutes": 30, "max_orders_per_day": 5}'


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"buy_order_type": "HALF"}, "buy_order_type", "Choose one of PERCENTAGE, FIXED, ALL, not 'HALF'."),
        ({"sell_order_type": "FIXED"}, "sell_order_type", "Choose one of PERCENTAGE, ALL, not 'FIXED'."),
        (
            {"buy_order_value": None},
            "buy_order_value",
            "Enter a value: an order of type PERCENTAGE needs one.",
        ),
        ({"buy_order_value": 101}, "buy_order_value", "Enter 100 or less, not 101."),
        ({"buy_order_value": -1}, "buy_order_value", "Enter a number above zero, not -1."),
        (
            {"sell_order_value": 50},
            "sell_order_value",
            "Leave it empty: an order of type ALL has no value, not 50.",
        ),
    ],
)
def test_a_wrong_order_setting_is_explained_at_its_field(
    change: dict[str, Any], name: str, message: str
) -> None:
    assert problems_of(ExecutionConfig, GUIDE_EXECUTION | change) == {name: message}


def test_an_empty_execution_config_names_both_missing_types() -> None:
    assert set(problems_of(ExecutionConfig, {})) == {"buy_order_type", "sell_order_type"}


def test_a_fixed_buy_may_be_larger_than_a_percentage() -> None:
    config = ExecutionConfig.parse(GUIDE_EXECUTION | {"buy_order_type": "FIXED", "buy_order_value": 2500})

    assert config.buy_order_value == Decimal(2500)


LIMIT = GUIDE_EXECUTION | {"order_type": "LIMIT"}


def test_orders_are_market_orders_unless_something_else_is_said() -> None:
    config = ExecutionConfig.parse(GUIDE_EXECUTION)

    assert config.order_type == "MARKET"
    assert (config.limit_offset_percent, config.limit_timeout_seconds) == (None, None)
    assert ExecutionConfig.parse(GUIDE_EXECUTION | {"order_type": None}) == config


def test_a_market_orders_configuration_reads_as_it_always_did() -> None:
    named = GUIDE_EXECUTION | {"order_type": "MARKET", "limit_timeout_action": None}

    assert json.dumps(ExecutionConfig.parse(named).to_dict()) == json.dumps(GUIDE_EXECUTION)


def test_a_limit_order_waits_a_minute_at_the_best_price_by_default() -> None:
    config = ExecutionConfig.parse(LIMIT)

    assert (config.limit_offset_percent, config.limit_timeout_seconds) == (Decimal(0), 60)
    assert config.limit_timeout_action == "CANCEL"
    assert ExecutionConfig.parse(config.to_dict()) == config


def test_a_limit_orders_settings_come_back_as_they_went_in() -> None:
    settings = {
        "limit_offset_percent": 0.25,
        "limit_timeout_seconds": 86_400,
        "limit_timeout_action": "MARKET",
    }

    assert json.loads(json.dumps(ExecutionConfig.parse(LIMIT | settings).to_dict())) == LIMIT | settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("order_type", "STOP", "Choose one of MARKET, LIMIT, not 'STOP'."),
        ("order_type", "", "Choose one of MARKET, LIMIT, not ''."),
        ("limit_offset_percent", -0.1, "Enter a number from 0 to 10, not -0.1."),
        ("limit_offset_percent", 10.01, "Enter a number from 0 to 10, not 10.01."),
        ("limit_offset_percent", float("nan"), "Enter a number from 0 to 10, not nan."),
        ("limit_offset_percent", Decimal("1E-30"), "Enter a number of at most 15 digits, not 1E-30."),
        ("limit_offset_percent", "1", "Enter a number, not '1'."),
        ("limit_timeout_seconds", 9, "Enter a whole number from 10 to 86400, not 9."),
        ("limit_timeout_seconds", 86_401, "Enter a whole number from 10 to 86400, not 86401."),
        ("limit_timeout_seconds", 10.5, "Enter a whole number from 10 to 86400, not 10.5."),
        ("limit_timeout_action", "WAIT", "Choose one of CANCEL, MARKET, not 'WAIT'."),
    ],
)
def test_a_wrong_limit_setting_is_explained_at_its_field(name: str, value: Any, message: str) -> None:
    assert problems_of(ExecutionConfig, LIMIT | {name: value}) == {name: message}


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit_offset_percent", 0), ("limit_timeout_seconds", 60), ("limit_timeout_action", "CANCEL")],
)
def test_a_market_order_has_no_limit_settings(name: str, value: Any) -> None:
    message = "Leave it empty: only LIMIT orders have it, not MARKET orders."

    assert problems_of(ExecutionConfig, GUIDE_EXECUTION | {name: value}) == {name: message}


@pytest.mark.parametrize(("offset", "seconds"), [(0, 10), (10, 86_400)])
def test_the_outermost_limit_settings_are_allowed(offset: int, seconds: int) -> None:
    config = ExecutionConfig.parse(LIMIT | {"limit_offset_percent": offset, "limit_timeout_seconds": seconds})

    assert (config.limit_offset_percent, config.limit_timeout_seconds) == (offset, seconds)
