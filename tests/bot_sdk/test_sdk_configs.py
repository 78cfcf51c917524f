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
            "'stop_loss' is unknown; use stop_loss_percent, take_profit_percent, max_position_size.",
        ),
    ],
)
def test_a_wrong_limit_is_explained_at_its_field(name: str, value: Any, message: str) -> None:
    assert problems_of(RiskConfig, {name: value}) == {name: message}


def test_the_highest_limits_are_allowed() -> None:
    highest = {"stop_loss_percent": 100, "take_profit_percent": 1000, "max_position_size": 100}

    assert RiskConfig.parse(highest).to_dict() == highest


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
