from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_sdk.configs import RiskConfig
from bot_sdk.effective_limits import LIMITS, Limit, Source, effective, limits_in_force
from tests.bot_sdk.samples import make_risk

COUNTS = ("cool_down_minutes", "max_orders_per_day")
CONFIGS = st.builds(
    RiskConfig,
    **{
        name: st.none() | (st.integers(1, 1000) if name in COUNTS else st.decimals("0.1", 100, places=1))
        for name in LIMITS
    },
)


def limit(name: str, **configs: Mapping[str, Any]) -> Limit:
    """One limit in force, of configurations that are off unless given."""
    given_or_off = {key: make_risk(**configs.get(key, {})) for key in ("chosen", "proposed", "platform")}
    return next(each for each in limits_in_force(**given_or_off) if each.name == name)


@pytest.mark.parametrize("name", [name for name in LIMITS if name != "cool_down_minutes"])
@pytest.mark.parametrize(
    ("chosen", "platform", "expected"),
    [(5, 3, 3), (3, 5, 3), (4, 4, 4), (None, 3, 3), (3, None, 3), (None, None, None)],
)
def test_the_smaller_value_is_stricter(
    name: str, chosen: int | None, platform: int | None, expected: int | None
) -> None:
    both = RiskConfig.parse({name: chosen}), RiskConfig.parse({name: platform})

    assert getattr(effective(*both), name) == expected


@pytest.mark.parametrize(
    ("chosen", "platform", "expected"), [(5, 30, 30), (30, 5, 30), (None, 5, 5), (5, None, 5)]
)
def test_the_longer_cool_down_is_stricter(
    chosen: int | None, platform: int | None, expected: int | None
) -> None:
    both = RiskConfig(cool_down_minutes=chosen), RiskConfig(cool_down_minutes=platform)

    assert effective(*both).cool_down_minutes == expected


def test_without_limits_of_the_platform_the_choice_holds_as_it_is() -> None:
    chosen = make_risk(stop_loss_percent=5, max_orders_per_day=3)

    assert effective(chosen, RiskConfig()) == chosen


@given(CONFIGS, CONFIGS)
def test_no_choice_lifts_a_limit_of_the_platform(chosen: RiskConfig, platform: RiskConfig) -> None:
    found = effective(chosen, platform)

    assert effective(found, platform) == found == effective(found, chosen)
    assert found == effective(platform, chosen)


@given(CONFIGS, CONFIGS, CONFIGS)
def test_the_limits_that_are_shown_are_those_that_hold(
    chosen: RiskConfig, proposed: RiskConfig, platform: RiskConfig
) -> None:
    shown = limits_in_force(chosen=chosen, proposed=proposed, platform=platform)

    values: dict[str, Any] = {each.name: each.value for each in shown}
    assert RiskConfig(**values) == effective(chosen, platform)
    assert all((each.value != each.chosen) == (each.source == Source.PLATFORM) for each in shown)


@pytest.mark.parametrize(
    ("chosen", "proposed", "platform", "source"),
    [
        (5, None, None, Source.TRADER),
        (5, 4, None, Source.TRADER),
        (None, 4, None, Source.TRADER),  # switched off
        (5, 5, None, Source.DEVELOPER),
        (5, 5, 6, Source.DEVELOPER),
        (5, 5, 5, Source.DEVELOPER),
        (5, 5, 4, Source.PLATFORM),
        (5, None, 4, Source.PLATFORM),
        (None, None, 4, Source.PLATFORM),
        (None, None, None, Source.NOBODY),
    ],
)
def test_a_limit_says_who_set_it(
    chosen: int | None, proposed: int | None, platform: int | None, source: Source
) -> None:
    configs = {"chosen": chosen, "proposed": proposed, "platform": platform}
    given_or_off = {key: RiskConfig.parse({"max_position_size": value}) for key, value in configs.items()}

    found = {each.name: each.source for each in limits_in_force(**given_or_off)}

    assert found.pop("max_position_size") == source
    assert set(found.values()) == {Source.NOBODY}


def test_a_limit_keeps_what_the_trader_chose() -> None:
    found = limit("cool_down_minutes", chosen={"cool_down_minutes": 5}, platform={"cool_down_minutes": 30})

    assert found == Limit("cool_down_minutes", 30, Source.PLATFORM, 5)


def test_values_are_compared_as_numbers() -> None:
    chosen, proposed = {"stop_loss_percent": 5.0}, {"stop_loss_percent": Decimal("5.00")}

    assert limit("stop_loss_percent", chosen=chosen, proposed=proposed).source == Source.DEVELOPER
