from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.templatetags import amounts

SPACE = "\N{NARROW NO-BREAK SPACE}"
UNIT_SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("5.00"), "5"),
        (1e-07, "0.0000001"),
        (1e21, "1000000000000000000000"),
        (30, "30"),
        (Decimal("-0.50"), "-0.5"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (1e90, "–"),
        (5e-324, "–"),
    ],
)
def test_plain_numbers_are_never_scientific(value: Decimal | float | None, text: str) -> None:
    assert amounts.plain(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.001000000000000000"), "0.001"),
        (Decimal("1234567.5"), f"1{SPACE}234{SPACE}567.5"),
        (Decimal("0.123456789"), "0.12345679"),
        (Decimal("0.000000000001"), "0.000000000001"),
        (Decimal("-3"), f"{MINUS}3"),
        (Decimal("0E-18"), "0"),
    ],
)
def test_an_amount_keeps_eight_places_or_what_matters(value: Decimal, text: str) -> None:
    assert amounts.amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("10000"), f"10{SPACE}000.00"),
        (Decimal("1234.565"), f"1{SPACE}234.56"),
        (Decimal("0.5"), "0.50"),
        (Decimal("0.00001234567"), "0.00001235"),
        (Decimal("-0.004"), f"{MINUS}0.004"),
        (Decimal("0.99999"), "1.00"),
        (Decimal("0"), "0.00"),
        (Decimal("-0"), "0.00"),
        (Decimal("99999999999999999999.999999999999999999"), SPACE.join(["100", *["000"] * 6]) + ".00"),
        (None, "–"),
    ],
)
def test_money_has_two_places_and_more_below_one(value: Decimal | None, text: str) -> None:
    assert amounts.money(value) == text


def test_units_follow_after_a_space_that_does_not_break() -> None:
    assert amounts.money(Decimal(5), "USDT") == f"5.00{UNIT_SPACE}USDT"
    assert amounts.amount(Decimal("0.5"), "BTC") == f"0.5{UNIT_SPACE}BTC"
    assert amounts.percent(Decimal("2.504")) == f"2.5{SPACE}%"


@pytest.mark.parametrize(
    ("tick", "text"),
    [
        (Decimal("0.010000000000000000"), f"60{SPACE}123.50"),
        (Decimal("0.0001"), f"60{SPACE}123.5000"),
        (Decimal("1"), f"60{SPACE}123.50"),
    ],
)
def test_a_price_has_the_places_of_its_markets_tick(tick: Decimal, text: str) -> None:
    assert amounts.price(Decimal("60123.5"), tick) == text


@pytest.mark.parametrize(
    ("value", "text", "tone"),
    [
        (Decimal("12.3"), "+12.30", "text-gain"),
        (Decimal("-1234.5"), f"{MINUS}1{SPACE}234.50", "text-loss"),
        (Decimal("0"), "0.00", "text-secondary"),
        (None, "–", "text-secondary"),
    ],
)
def test_profit_and_loss_carry_sign_and_tone(value: Decimal | None, text: str, tone: str) -> None:
    assert amounts.signed(value) == text
    assert amounts.tone(value) == tone


def test_a_signed_percentage_that_rounds_to_zero_has_no_sign() -> None:
    assert amounts.signed_percent(Decimal("2.5")) == f"+2.50{SPACE}%"
    assert amounts.signed_percent(Decimal("-2.5")) == f"{MINUS}2.50{SPACE}%"
    assert amounts.signed_percent(Decimal("0.001")) == f"0.00{SPACE}%"
    assert amounts.signed_percent(Decimal("-0.001")) == f"0.00{SPACE}%"


@pytest.mark.parametrize("value", ["12", "", True, [1]])
def test_what_is_not_a_number_is_a_programming_error(value: object) -> None:
    with pytest.raises(TypeError, match="Expected a Decimal, int or float"):
        amounts.money(value)  # type: ignore[arg-type]


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=18))
def test_money_reads_back_within_its_rounding(value: Decimal) -> None:
    text = amounts.money(value)

    read = Decimal(text.replace(SPACE, "").replace(MINUS, "-"))
    assert "E" not in text
    assert abs(read - value) <= Decimal("0.005")
    assert (read == 0) == (value == 0)
