"""Which risk limits hold, and who set each: the trader's choice, or a limit of the platform that is stricter.

A bot's developer only proposes; what the trader accepted is the trader's choice.
"""

from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bot_sdk.configs import RiskConfig

LIMITS = tuple(field.name for field in fields(RiskConfig))
LARGER_IS_STRICTER = frozenset({"cool_down_minutes"})

Value = Decimal | int | None


class Source(StrEnum):
    """Who set a limit; for one that is off, who switched it off."""

    TRADER = "trader"
    DEVELOPER = "developer"  # the trader kept what the bot's version proposes
    PLATFORM = "platform"
    NOBODY = "nobody"  # off, and nobody ever proposed a value


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a `RiskConfig`: `value` holds and `chosen` is the trader's; None is off."""

    name: str
    value: Value
    source: Source
    chosen: Value


def effective(chosen: RiskConfig, platform: RiskConfig) -> RiskConfig:
    """Return of each limit the stricter value; one that is off on one side is what the other side says.

    Stricter is the smaller value, and of `cool_down_minutes` the larger.
    """
    values: dict[str, Any] = {
        name: _stricter(name, getattr(chosen, name), getattr(platform, name)) for name in LIMITS
    }
    return RiskConfig(**values)


def limits_in_force(*, chosen: RiskConfig, proposed: RiskConfig, platform: RiskConfig) -> tuple[Limit, ...]:
    """Return each limit as `effective` has it, with who set it; `proposed` is by the bot's developer.

    The platform is named only where it is stricter than the trader, the developer where the trader kept a
    proposed value.
    """
    return tuple(
        _limit(name, *(getattr(config, name) for config in (chosen, proposed, platform))) for name in LIMITS
    )


def _limit(name: str, chosen: Value, proposed: Value, platform: Value) -> Limit:
    value = _stricter(name, chosen, platform)
    if value != chosen:
        return Limit(name, value, Source.PLATFORM, chosen)
    if chosen != proposed:
        return Limit(name, value, Source.TRADER, chosen)
    return Limit(name, value, Source.NOBODY if chosen is None else Source.DEVELOPER, chosen)


def _stricter(name: str, one: Value, other: Value) -> Value:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other) if name in LARGER_IS_STRICTER else min(one, other)
