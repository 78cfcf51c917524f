"""For whom a bot is not: what speaks against it, from what was measured and declared."""

from datetime import timedelta
from decimal import Decimal

from bot_sdk.timeframes import duration
from bots.models import Bot, BotVersion
from exchanges.models import Market
from exchanges.templatetags.amounts import money, percent, plain, signed_percent
from execution.metric_words import span_text
from execution.models import BotRecord
from execution.ranking import LONG_ENOUGH
from subscriptions.lifecycle import MINIMUM_CAPITAL_IN_ORDERS
from subscriptions.models import Subscription

LONG_HISTORY_DAYS = 7
MANY_TRADES_A_WEEK, FEW_TRADES_A_WEEK = 7, 0.5
DEEP_DRAWDOWN_PERCENT = 10
EXAMPLE_CAPITAL = 1000  # USD, beside which a price is set


def cautions(
    bot: Bot,
    version: BotVersion,
    *,
    run: Subscription | None,
    backtest: BotRecord | None,
    forward: BotRecord | None,
) -> list[str]:
    """Return sentences that go on from "It is not for you if …".

    Without our own `run` of the version, whose market is selected, what depends on a market is left out.
    """
    said = ["you want to gain from falling prices: it sells what it has bought before, and never more."]
    if run is not None:
        said.append(_needed_capital(version, run.market))
        history_days = version.warm_up * duration(run.timeframe) / timedelta(days=1)
        if history_days >= LONG_HISTORY_DAYS:
            history = span_text(history_days)
            said.append(f"you want to trade a young coin: before it decides it needs {history} of candles.")
    measured = [record for record in (backtest, forward) if record and record.measured_at]
    if measured:
        said += _of_records(measured, run)
    if bot.price_per_month:
        share = percent(bot.price_per_month / EXAMPLE_CAPITAL * 100)
        capital = money(EXAMPLE_CAPITAL, "USD")
        said.append(
            f"you have little: its price is {share} a month of {capital}, which it has to earn first."
        )
    if forward is None or forward.days < LONG_ENOUGH:
        so_far = f"for {forward.days} of {LONG_ENOUGH} days" if forward else "for no whole day"
        said.append(f"you want proof: it has been on paper {so_far}, and a backtest is none.")
    return said


def _needed_capital(version: BotVersion, market: Market) -> str:
    share = version.proposed_risk.max_position_size or 100  # percent of the capital
    least = market.minimum_cost * max(Decimal(MINIMUM_CAPITAL_IN_ORDERS), 100 / Decimal(str(share)))
    of_it = f", and it puts at most {percent(share)} of its capital into a position" if share < 100 else ""
    return (
        f"you have less than {money(least, market.quote)}: an order on {market} has to be worth "
        f"{money(market.minimum_cost, market.quote)}{of_it}."
    )


def _of_records(measured: list[BotRecord], run: Subscription | None) -> list[str]:
    """Return what the longest record says, and the deepest fall in any."""
    said = []
    deepest = max(record.figures["max_drawdown_percent"] for record in measured)
    if deepest >= DEEP_DRAWDOWN_PERCENT:
        said.append(
            f"you cannot stand seeing {percent(deepest)} of your highest balance gone: so much it fell."
        )
    longest = max(measured, key=lambda record: record.days)
    total, held = (longest.figures[key] for key in ("total_return_percent", "buy_and_hold_percent"))
    if total is not None and held is not None and total < held:
        said.append(
            f"you could simply buy and hold: that gave {signed_percent(held)} in {longest.days} days, and "
            f"the bot {signed_percent(total)}."
        )
    weekly = longest.figures["trades_per_week"]
    if weekly is not None and weekly >= MANY_TRADES_A_WEEK and run is not None:
        both_fees = percent(2 * run.market.taker_fee_fraction * 100)
        said.append(
            f"your fees are high: it makes about {plain(round(weekly))} trades a week, and each costs "
            f"{both_fees} of what it moves at {run.market.get_exchange_display()}'s usual fee."
        )
    elif weekly is not None and weekly < FEW_TRADES_A_WEEK:
        said.append("you want to see something happen: it makes less than a trade in two weeks.")
    return said
