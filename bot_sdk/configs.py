"""How a trader wants orders sized and losses limited: two small documents, checked, with Decimal inside."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from bot_sdk.parameters import ConfigError

PERCENTAGE = "PERCENTAGE"
FIXED = "FIXED"
ALL = "ALL"

MARKET = "MARKET"
LIMIT = "LIMIT"
CANCEL = "CANCEL"

BUY_ORDER_TYPES = (PERCENTAGE, FIXED, ALL)
SELL_ORDER_TYPES = (PERCENTAGE, ALL)
ORDER_TYPES = (MARKET, LIMIT)
LIMIT_TIMEOUT_ACTIONS = (CANCEL, MARKET)

LARGEST_LIMIT_OFFSET_PERCENT = 10
SHORTEST_LIMIT_TIMEOUT_SECONDS = 10
LONGEST_LIMIT_TIMEOUT_SECONDS = 86_400

_MOST_DIGITS = 15  # what a JSON number, which other programs read as a float, keeps exactly
_HIGHEST_PERCENT = {
    "stop_loss_percent": Decimal(100),
    "trailing_stop_percent": Decimal(100),
    "take_profit_percent": Decimal(1000),
    "max_position_size": Decimal(100),
    "max_daily_loss_percent": Decimal(100),
    "max_drawdown_percent": Decimal(100),
}
_HIGHEST_COUNT = {"cool_down_minutes": 10_080, "max_orders_per_day": 1000}
SELLING_LIMITS = ("stop_loss_percent", "trailing_stop_percent", "take_profit_percent", "max_drawdown_percent")
_LIMIT_DEFAULTS: dict[str, Any] = {
    "limit_offset_percent": 0,
    "limit_timeout_seconds": 60,
    "limit_timeout_action": CANCEL,
}


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """How much to buy and to sell when the bot says so, and with what kind of order.

    Buying, PERCENTAGE is of the subscription's allocated capital (10 for 10 %), FIXED an amount in quote, ALL
    the free balance. Selling, PERCENTAGE is of the position, ALL the whole of it. The value is None for ALL.

    A MARKET order is filled at once. A LIMIT order waits `limit_offset_percent` below the bid for a BUY,
    above the ask for a SELL; after `limit_timeout_seconds` what is not filled is canceled (CANCEL) or sent as
    a market order (MARKET). These three are None for MARKET orders.
    """

    buy_order_type: str
    buy_order_value: Decimal | None
    sell_order_type: str
    sell_order_value: Decimal | None
    order_type: str = MARKET
    limit_offset_percent: Decimal | None = None
    limit_timeout_seconds: int | None = None
    limit_timeout_action: str | None = None

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "ExecutionConfig":
        """Return the checked configuration, with market orders when nothing is said about the order type.

        Raises ConfigError naming every problem.
        """
        problems = _unknown_keys(given, _EXECUTION_FIELDS)
        buy_type = _choice(given, "buy_order_type", BUY_ORDER_TYPES, problems)
        sell_type = _choice(given, "sell_order_type", SELL_ORDER_TYPES, problems)
        order_type = _choice(
            _with_defaults(given, {"order_type": MARKET}), "order_type", ORDER_TYPES, problems
        )
        config = cls(
            buy_order_type=buy_type,
            buy_order_value=_order_value(given, "buy_order_value", buy_type, problems),
            sell_order_type=sell_type,
            sell_order_value=_order_value(given, "sell_order_value", sell_type, problems),
            order_type=order_type,
            **_limit_settings(given, order_type, problems),
        )
        if problems:
            raise ConfigError(problems)
        return config

    def at_once(self) -> "ExecutionConfig":
        """Return the same sizes for market orders."""
        return replace(
            self,
            order_type=MARKET,
            limit_offset_percent=None,
            limit_timeout_seconds=None,
            limit_timeout_action=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON types, without what does not apply.

        An order type of MARKET is left out too: receipts are hashed over this, and from before there were
        limit orders they hold for a configuration that never names it.
        """
        values = {name: getattr(self, name) for name in _EXECUTION_FIELDS}
        return _json_numbers(values | {"order_type": None if self.order_type == MARKET else self.order_type})


@dataclass(frozen=True, slots=True)
class RiskConfig:
    """The limits that protect the trader, None when switched off; percentages are 5 for 5 %.

    Four of them sell the position: `stop_loss_percent` and `take_profit_percent` are distances from the
    average entry price, `trailing_stop_percent` is one below the highest bid since the position was opened,
    and `max_drawdown_percent` below the highest equity so far, which also ends all buying until somebody
    lifts it. The others only limit buying: `max_position_size` is the part of the allocated capital that the
    position's value may reach, `max_daily_loss_percent` the part of it that a UTC day may lose,
    `cool_down_minutes` the pause after a sale at a loss, `max_orders_per_day` counts the UTC day's orders of
    either side.
    """

    stop_loss_percent: Decimal | None = None
    trailing_stop_percent: Decimal | None = None
    take_profit_percent: Decimal | None = None
    max_position_size: Decimal | None = None
    max_daily_loss_percent: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    cool_down_minutes: int | None = None
    max_orders_per_day: int | None = None

    @property
    def has_exits(self) -> bool:
        """Whether a limit is set that sells."""
        return any(getattr(self, name) is not None for name in SELLING_LIMITS)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "RiskConfig":
        """Return the checked configuration. Raises ConfigError naming every problem."""
        problems = _unknown_keys(given, _RISK_FIELDS)
        values: dict[str, Any] = {}
        for name in _RISK_FIELDS:
            value = given.get(name)
            if value is not None and name in _HIGHEST_COUNT:
                values[name] = _whole(value, name, problems, 1, _HIGHEST_COUNT[name])
            elif value is not None:
                values[name] = _positive(value, name, problems, _HIGHEST_PERCENT[name])
        if problems:
            raise ConfigError(problems)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON types, without the limits that are off."""
        return _json_numbers({name: getattr(self, name) for name in _RISK_FIELDS})


_EXECUTION_FIELDS = tuple(field.name for field in fields(ExecutionConfig))
_RISK_FIELDS = tuple(field.name for field in fields(RiskConfig))


def _unknown_keys(given: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, str]:
    return {str(name): f"{name!r} is unknown; use {', '.join(known)}." for name in given if name not in known}


def _with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: default if given.get(name) is None else given[name] for name, default in defaults.items()}


def _choice(given: Mapping[str, Any], name: str, allowed: tuple[str, ...], problems: dict[str, str]) -> str:
    chosen = given.get(name)
    if not isinstance(chosen, str) or chosen not in allowed:
        problems[name] = f"Choose one of {', '.join(allowed)}, not {chosen!r}."
        return ""
    return chosen


def _limit_settings(given: Mapping[str, Any], order_type: str, problems: dict[str, str]) -> dict[str, Any]:
    """Return what only a LIMIT order has, as keyword arguments; nothing for another type."""
    if order_type == MARKET:
        for name in _LIMIT_DEFAULTS:
            if given.get(name) is not None:
                problems[name] = f"Leave it empty: only LIMIT orders have it, not {order_type} orders."
    if order_type != LIMIT:
        return {}
    settings = _with_defaults(given, _LIMIT_DEFAULTS)
    return {
        "limit_offset_percent": _between(
            settings["limit_offset_percent"], "limit_offset_percent", problems, LARGEST_LIMIT_OFFSET_PERCENT
        ),
        "limit_timeout_seconds": _whole(
            settings["limit_timeout_seconds"],
            "limit_timeout_seconds",
            problems,
            SHORTEST_LIMIT_TIMEOUT_SECONDS,
            LONGEST_LIMIT_TIMEOUT_SECONDS,
        ),
        "limit_timeout_action": _choice(settings, "limit_timeout_action", LIMIT_TIMEOUT_ACTIONS, problems),
    }


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
    number = _number(value, name, problems)
    if number is None:
        return None
    if not number.is_finite() or number <= 0:
        problems[name] = f"Enter a number above zero, not {value}."
        return None
    if not _has_few_digits(number):
        problems[name] = f"Enter a number of at most {_MOST_DIGITS} digits, not {value}."
        return None
    if highest is not None and number > highest:
        problems[name] = f"Enter {highest} or less, not {value}."
        return None
    return number


def _between(value: Any, name: str, problems: dict[str, str], highest: int) -> Decimal | None:
    """Return a number from zero to `highest`, both allowed."""
    number = _number(value, name, problems)
    if number is None:
        return None
    if not number.is_finite() or not 0 <= number <= highest:
        problems[name] = f"Enter a number from 0 to {highest}, not {value}."
        return None
    if not _has_few_digits(number):
        problems[name] = f"Enter a number of at most {_MOST_DIGITS} digits, not {value}."
        return None
    return number


def _whole(value: Any, name: str, problems: dict[str, str], lowest: int, highest: int) -> int | None:
    number = _number(value, name, problems)
    if number is None:
        return None
    if not number.is_finite() or not lowest <= number <= highest or number != int(number):
        problems[name] = f"Enter a whole number from {lowest} to {highest}, not {value}."
        return None
    return int(number)


def _number(value: Any, name: str, problems: dict[str, str]) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        problems[name] = f"Enter a number, not {value!r}."
        return None
    # Through its text a float becomes the number that was typed: 0.1, not 0.1000000000000000055.
    return Decimal(str(value))


def _has_few_digits(number: Decimal) -> bool:
    shortest = number.normalize()
    return (
        len(shortest.as_tuple().digits) <= _MOST_DIGITS and -_MOST_DIGITS < shortest.adjusted() < _MOST_DIGITS
    )


def _json_numbers(values: Mapping[str, str | int | Decimal | None]) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
        if value is not None
    }
