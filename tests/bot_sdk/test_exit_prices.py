from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from bot_sdk.configs import RiskConfig
from bot_sdk.exit_prices import exit_prices
from bot_sdk.ledger import Holding, apply_fill
from bot_sdk.risk import protective_exit
from bot_sdk.risk_state import RiskState
from tests.bot_sdk.samples import make_risk, make_rules

RULES = make_rules(minimum_cost="0")
AT = datetime(2026, 1, 1, tzinfo=UTC)

tick_prices = st.integers(1, 3_000_000).map(lambda cents: Decimal(cents) / 100)
limits = st.none() | st.integers(1, 9_999).map(lambda hundredths: Decimal(hundredths) / 100)
risks = st.builds(
    RiskConfig,
    stop_loss_percent=limits,
    trailing_stop_percent=limits,
    take_profit_percent=limits,
    max_drawdown_percent=limits,
)


def state_at(price: Decimal, holding: Holding, risk: RiskConfig, peak: Decimal) -> RiskState:
    """Return what is remembered of a position that has seen `peak` and then this price."""
    state = RiskState.start(Decimal(100_000))
    for seen in (peak, price):
        state = state.seen(at=AT, bid=seen, holding=holding, risk=risk)
    return state


def sells(price: Decimal, holding: Holding, risk: RiskConfig, peak: Decimal) -> bool:
    state = state_at(price, holding, risk, peak)
    return protective_exit(holding=holding, bid=price, rules=RULES, risk=risk, state=state) is not None


@given(
    entry=tick_prices,
    risk=risks,
    above=st.integers(0, 500_000),
    thousandths=st.integers(1, 30_000),
    fee=st.integers(0, 1_000_000_000),
)
def test_selling_begins_at_the_price_and_not_one_tick_before_it(
    entry: Decimal, risk: RiskConfig, above: int, thousandths: int, fee: int
) -> None:
    amount, peak = Decimal(thousandths) / 1000, entry + Decimal(above) / 100
    assume(amount * entry < 90_000)
    holding = apply_fill(Holding.start(Decimal(100_000)), "BUY", amount, entry, Decimal(fee) / 10**8)
    assume(not sells(peak, holding, risk, peak))

    state = state_at(peak, holding, risk, peak)
    prices = exit_prices(holding=holding, rules=RULES, risk=risk, state=state)

    # Below the peak only the lower price counts, and above it only the upper one, which is a peak itself.
    if prices.lower is None:
        assert not sells(RULES.price_tick, holding, risk, peak)
    else:
        assert sells(prices.lower, holding, risk, peak)
        assert not sells(prices.lower + RULES.price_tick, holding, risk, peak)
    if prices.upper is None:
        assert risk.take_profit_percent is None
    else:
        assert sells(prices.upper, holding, risk, prices.upper)
        assert not sells(prices.upper - RULES.price_tick, holding, risk, prices.upper - RULES.price_tick)


def test_nothing_is_sold_when_nothing_is_held() -> None:
    holding, risk = Holding.start(Decimal(100)), make_risk(stop_loss_percent=5, take_profit_percent=5)

    prices = exit_prices(holding=holding, rules=RULES, risk=risk, state=RiskState.start(Decimal(100)))

    assert prices == (None, None)


def test_only_four_of_the_limits_sell() -> None:
    assert not make_risk(max_position_size=20, max_daily_loss_percent=5, cool_down_minutes=5).has_exits
    assert make_risk(max_drawdown_percent=5).has_exits
