"""How a trader wants orders sized and losses limited: two small documents, checked, with Decimal inside."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot_sdk.parameters import ConfigError

PERCENTAGE = "PERCENTAGE"
FIXED = "FIXED"
ALL = "ALL"

BUY_ORDER_TYPES = (PERCENTAGE, FIXED, ALL)
SELL_ORDER_TYPES = (PERCENTAGE, ALL)

_MOST_DIGITS = 15  # what a JSON number, which other programs read as a float, keeps exactly
_HIGHEST_PERCENT = {
    "stop_loss_percent": Decimal(100),
    "take_profit_percent": Decimal(1000),
    "max_position_size": Decimal(100),
}


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """How much to buy and to sell when the bot says so.

    Buying, PERCENTAGE is of the subscription's allocated capital (10 for 10 %), FIXED an amount in quote, ALL
    the free balance. Selling, PERCENTAGE is of the position, ALL the whole of it. The value is None for ALL.
    """

    buy_order_type: str
    buy_order_value: Decimal | None
    sell_order_type: str
    sell_order_value: Decimal | None

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "ExecutionConfig":
        """Return the checked configuration. Raises ConfigError naming every problem."""
        problems = _unknown_keys(given, _EXECUTION_FIELDS)
        buy_type = _order_type(given, "buy_order_type", BUY_ORDER_TYPES, problems)
        sell_type = _order_type(given, "sell_order_type", SELL_ORDER_TYPES, problems)
        config = cls(
            buy_order_type=buy_type,
            buy_order_value=_order_value(given, "buy_order_value", buy_type, problems),
            sell_order_type=sell_type,
            sell_order_value=_order_value(given, "sell_order_value", sell_type, problems),
        )
        if problems:
            raise ConfigError(problems)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON types, without the value of an ALL order."""
        return _json_numbers({name: getattr(self, name) for name in _EXECUTION_FIELDS})


@dataclass(frozen=True, slots=True)
class RiskConfig:
    """The limits that protect the trader, each in percent (5 for 5 %), None when switched off.

    `stop_loss_percent` and `take_profit_percent` are distances from the average entry price;
    `max_position_size` is the part of the allocated capital that the position's value may reach by buying.
    """

    stop_loss_percent: Decimal | None = None
    take_profit_percent: Decimal | None = None
    max_position_size: Decimal | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "RiskConfig":
        """Return the checked configuration. Raises ConfigError naming every problem."""
        problems = _unknown_keys(given, tuple(_HIGHEST_PERCENT))
        values = {
            name: _positive(given[name], name, problems, highest)
            for name, highest in _HIGHEST_PERCENT.items()
            if given.get(name) is not None
        }
        if problems:
            raise ConfigError(problems)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON types, without the limits that are off."""
        return _json_numbers({name: getattr(self, name) for name in _HIGHEST_PERCENT})


_EXECUTION_FIELDS = ("buy_order_type", "buy_order_value", "sell_order_type", "sell_order_value")


def _unknown_keys(given: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, str]:
    return {str(name): f"{name!r} is unknown; use {', '.join(known)}." for name in given if name not in known}


def _order_type(
    given: Mapping[str, Any], name: str, allowed: tuple[str, ...], problems: dict[str, str]
) -> str:
    order_type = given.get(name)
    if not isinstance(order_type, str) or order_type not in allowed:
        problems[name] = f"Choose one of {', '.join(allowed)}, not {order_type!r}."
        return ""
    return order_type


def _order_value(
    given: Mapping[str, Any], name: str, order_type: str, problems: dict[str, str]
) -> Decimal | None:
    value = given.get(name)
    if order_type == ALL and value is not None:
        problems[name] = f"Leave it empty: an order of type ALL has no value, not {value!r}."
    if order_type in (ALL, ""):
        return None
    if value is None:
        problems[name] = f"Enter a value: an order of type {order_type} needs one."
        return None
    return _positive(value, name, problems, Decimal(100) if order_type == PERCENTAGE else None)


def _positive(value: Any, name: str, problems: dict[str, str], highest: Decimal | None) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        problems[name] = f"Enter a number, not {value!r}."
        return None
    # Through its text a float becomes the number that was typed: 0.1, not 0.1000000000000000055.
    number = Decimal(str(value))
    if not number.is_finite() or number <= 0:
        problems[name] = f"Enter a number above zero, not {value}."
        return None
    if (
        len(number.normalize().as_tuple().digits) > _MOST_DIGITS
        or not -_MOST_DIGITS < number.adjusted() < _MOST_DIGITS
    ):
        problems[name] = f"Enter a number of at most {_MOST_DIGITS} digits, not {value}."
        return None
    if highest is not None and number > highest:
        problems[name] = f"Enter {highest} or less, not {value}."
        return None
    return number


def _json_numbers(values: Mapping[str, str | Decimal | None]) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
        if value is not None
    }
