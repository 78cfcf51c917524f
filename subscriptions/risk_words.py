"""What a subscription can lose, in sentences for its trader; the figures are `bot_sdk.possible_loss`'s."""

from decimal import Decimal

from bot_sdk.configs import RiskConfig
from bot_sdk.possible_loss import PossibleLoss, possible_loss
from bot_sdk.risk import MAX_DRAWDOWN, STOP_LOSS, TRAILING_STOP
from exchanges.models import ExchangeAccount, Market
from exchanges.templatetags.amounts import money, percent

ALWAYS = (
    "It can be more: a price can jump past a stop, and an order can fill at a worse price than the one seen."
)


AS_AT_A_START = (
    "These sums are reckoned as at a start, from the capital allocated: what it has made since can be lost "
    "as well, and what it holds already may have cost more."
)


def risk_sentences(
    *,
    capital: Decimal,
    risk: RiskConfig,
    market: Market,
    account: ExchangeAccount | None,
    has_begun: bool = False,
) -> list[str]:
    """Return what can be lost on a position, in a day and in all, the most important first.

    `capital` is in the market's quote currency, `risk` the limits in force, and `account` None for paper.
    `has_begun` says that it has traded since that was allocated, or may have.
    """
    return [
        *loss_sentences(capital=capital, risk=risk, market=market),
        *([AS_AT_A_START] if has_begun else []),
        _whose_money(account),
    ]


def loss_sentences(*, capital: Decimal, risk: RiskConfig, market: Market) -> list[str]:
    """Return the same without whose money it is."""
    loss, quote = possible_loss(capital=capital, risk=risk, rules=market.rules), market.quote
    return [
        _on_position(loss, risk, quote),
        _in_day(loss, quote),
        _in_all(loss, risk, capital, quote),
        ALWAYS,
    ]


def _on_position(loss: PossibleLoss, risk: RiskConfig, quote: str) -> str:
    if loss.stop is None:
        return (
            f"You can lose all of a position, about {money(loss.position, quote)}: "
            "no limit of yours sells it while it loses."
        )
    rule = {
        STOP_LOSS: f"a stop loss of {percent(risk.stop_loss_percent)}",
        TRAILING_STOP: f"a trailing stop of {percent(risk.trailing_stop_percent)}",
        MAX_DRAWDOWN: f"a largest drawdown of {percent(risk.max_drawdown_percent)}",
    }[loss.stop]
    so_much = f"You can lose about {money(loss.on_position, quote)} on one position, fees included"
    return f"{so_much}: it costs at most {money(loss.position, quote)}, and {rule} sells it."


def _in_day(loss: PossibleLoss, quote: str) -> str:
    if loss.in_day is None:
        return "No limit holds for a day: the losses of several positions add up."
    so_much = f"You can lose about {money(loss.in_day, quote)} in a day"
    if loss.day_limit is None:
        return f"{so_much}: there the drawdown limit ends it. There is no limit for the day itself."
    if loss.in_day < loss.day_limit + loss.on_position:
        return f"{so_much}: there the drawdown limit ends it, before the limit for the day does."
    bought = f"after a loss of {money(loss.day_limit, quote)} nothing is bought until midnight UTC"
    return f"{so_much}: {bought}, and what is held then can still fall."


def _in_all(loss: PossibleLoss, risk: RiskConfig, capital: Decimal, quote: str) -> str:
    if loss.halt_equity is None:
        return f"Nothing halts trading after many losses: all of {money(capital, quote)} can be lost."
    below = f"{percent(risk.max_drawdown_percent)} below the highest that you had"
    return (
        f"Trading halts at {money(loss.halt_equity, quote)}, or {below}: "
        "then all is sold, and nothing is bought until you lift the halt."
    )


def _whose_money(account: ExchangeAccount | None) -> str:
    kinds = ExchangeAccount.Environment
    if account is None or account.environment == kinds.PAPER:
        return "On paper: none of it is real money."
    if account.environment == kinds.TESTNET:
        return f"{account.label} is on a testnet: none of it is real money."
    return f"This is real money, your own, on {account.label} at {account.get_exchange_display()}."
