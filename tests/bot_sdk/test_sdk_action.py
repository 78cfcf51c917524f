from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from bot_sdk import Action


def test_an_action_keeps_what_the_bot_says() -> None:
    action = Action("BUY", 101.5, "RSI oversold")

    assert (action.action, action.value, action.reason) == ("BUY", 101.5, "RSI oversold")


@pytest.mark.parametrize("value", [np.float64(1.5), np.float32(1.5), np.int64(1), 1])
def test_a_numpy_number_becomes_a_plain_float(value: Any) -> None:
    assert type(Action("SELL", value).value) is float


def test_zero_is_a_value() -> None:
    assert Action("HOLD", 0).value == 0.0


@pytest.mark.parametrize("value", [True, np.bool_(True), "100", None, Decimal("1.5"), np.array([1.5]), 1j])
def test_a_value_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"Action\.value must be a number, usually the price"):
        Action("BUY", value)


@pytest.mark.parametrize("value", [float("nan"), np.nan, float("inf"), -0.01, 10**400])
def test_a_value_that_is_no_price_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="finite number, zero or more"):
        Action("BUY", value)


@pytest.mark.parametrize("word", ["buy", "STRONG BUY", ""])
def test_an_unknown_action_names_the_three_known_ones(word: str) -> None:
    with pytest.raises(ValueError, match='"BUY", "SELL" or "HOLD"'):
        Action(word, 100.0)


def test_an_action_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"not '1' \(int\)"):
        Action(1, 100.0)  # type: ignore[arg-type]


def test_a_reason_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Action\.reason must be text"):
        Action("BUY", 100.0, None)  # type: ignore[arg-type]
