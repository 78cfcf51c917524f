"""The codes of cycles and orders in words for the trader. A code without words shows itself."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot_sdk.configs import FIXED, LIMIT, MARKET, PERCENTAGE, ExecutionConfig, RiskConfig
from bot_sdk.effective_limits import Limit, Source
from bot_sdk.process.verdicts import Verdict
from bot_sdk.risk import MAX_DRAWDOWN, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP
from bot_sdk.skip_reasons import SkipReason
from bot_sdk.timeframes import duration
from exchanges.templatetags.amounts import GROUP_SPACE, NOTHING, money, percent, plain
from execution.models import Action, Cycle, Order, Replay
from execution.protection import Protection

SKIPS: dict[str, str] = {
    SkipReason.NO_POSITION: "The bot wanted to sell, but nothing is held.",
    SkipReason.INSUFFICIENT_BALANCE: "The free balance does not pay for the smallest order.",
    SkipReason.BELOW_MINIMUM_COST: "The order would be worth less than the exchange accepts.",
    SkipReason.BELOW_MINIMUM_AMOUNT: "The amount would be smaller than the exchange accepts.",
    SkipReason.POSITION_LIMIT: "The position is as large as its limit allows.",
    SkipReason.DRAWDOWN_HALT: "The drawdown limit was reached: nothing is bought until you lift the halt.",
    SkipReason.DAILY_LOSS_LIMIT: "Today's loss has reached its limit: nothing is bought until midnight UTC.",
    SkipReason.COOL_DOWN: "The last sale was at a loss, and the pause after it is not over.",
    SkipReason.ORDERS_PER_DAY: "No more orders are allowed today: nothing is bought until midnight UTC.",
    SkipReason.BOT_FAILED: "The bot failed, so nothing was traded.",
    SkipReason.VERSION_QUARANTINED: "This version is in quarantine: only your stops act until its release.",
    SkipReason.BOT_STOPPED: "Staff have stopped this bot: only your stops act.",
    SkipReason.STALE_CANDLE: "The decision came too late after the candle's close to trade on.",
    SkipReason.MISSING_CANDLE: "The exchange did not deliver this candle in time.",
    SkipReason.GAPPED_CANDLES: "Too many of the newest candles are missing at the exchange.",
    SkipReason.EXCHANGE_UNAVAILABLE: "The exchange did not answer.",
    SkipReason.ORDER_REJECTED: "The exchange refused the order.",
    SkipReason.ORDER_NOT_SENT: "The order was stopped before it left.",
    SkipReason.ORDER_OPEN: "An earlier order is still open, so no other one was placed.",
    SkipReason.ORDER_UNKNOWN: "What became of an earlier order is being checked; until then none is placed.",
    SkipReason.REDUCING_ONLY: "Only sales are allowed here at the moment, so nothing was bought.",
    SkipReason.TRADING_HALTED: "Trading is halted, so no order was placed.",
    SkipReason.EXPOSURE_LIMIT: "Your bots together hold as much as your limit for all of them allows.",
    SkipReason.TRADER_DAILY_LOSS: "Your bots together have lost as much today as your limit allows.",
    SkipReason.OUTSIDE_MISMATCH: "The exchange account holds something else than our record of it says.",
    SkipReason.PLATFORM_ERROR: "The platform could not run the bot. This is not the bot's doing.",
}
VERDICTS: dict[str, str] = {
    Verdict.OK: "The bot ran to its end and gave a valid answer.",
    Verdict.TIMED_OUT: "The bot gave no answer within its time and was ended.",
    Verdict.OUT_OF_MEMORY: "The bot asked for more memory than it may use and was ended.",
    Verdict.FORBIDDEN: "The bot tried something that is not allowed in its confinement and was ended.",
    Verdict.CRASHED: "The bot's process broke off without an answer.",
    Verdict.FAILED: "The bot's code raised an error.",
    Verdict.BAD_REPLY: "The bot answered with something that is not a valid action.",
    Verdict.UNAVAILABLE: "The confinement was not available, so the bot was not run.",
}
SHORT_VERDICTS: dict[str, str] = {
    Verdict.OK: "OK",
    Verdict.TIMED_OUT: "Too slow",
    Verdict.OUT_OF_MEMORY: "Out of memory",
    Verdict.FORBIDDEN: "Forbidden",
    Verdict.CRASHED: "Crashed",
    Verdict.FAILED: "Error in the bot",
    Verdict.BAD_REPLY: "Invalid answer",
    Verdict.UNAVAILABLE: "Not run",
}
SOURCES: dict[str, str] = {
    STOP_LOSS: "Stop loss",
    TRAILING_STOP: "Trailing stop",
    TAKE_PROFIT: "Take profit",
    MAX_DRAWDOWN: "Drawdown limit",
}
PROTECTIONS: dict[str, str] = {
    Protection.OFF: "no stop is set",
    Protection.HELD: "its stop loss rests at the exchange, and we watch it too",
    Protection.RESTING: "only its stop loss at the exchange protects it now",
    Protection.WATCHED: "its stops are watched by us",
    Protection.SELLING: "all of it is to be sold",
    Protection.PAUSED: "its stops are not watched while it is not running",
    Protection.UNWATCHED: "its stops have not been watched for a minute, or they did not sell",
    Protection.HALTED: "no stop of it acts while trading is halted",
}
LIMITS: dict[str, tuple[str, str]] = {  # its name, and its value in words
    "stop_loss_percent": ("Stop loss", "{} % below the average entry"),
    "trailing_stop_percent": ("Trailing stop", "{} % below the highest price"),
    "take_profit_percent": ("Take profit", "{} % above the average entry"),
    "max_position_size": ("Largest position", "{} % of the allocated capital"),
    "max_daily_loss_percent": ("Largest loss per day", "{} % of the allocated capital"),
    "max_drawdown_percent": ("Largest drawdown", "{} % below the highest equity"),
    "cool_down_minutes": ("Cool-down", "{} min after a sale at a loss"),
    "max_orders_per_day": ("Orders per day", "{} at most"),
}
LIMIT_SOURCES: dict[str, str] = {
    Source.TRADER: "you",
    Source.DEVELOPER: "the developer's default",
    Source.PLATFORM: "the platform",
    Source.NOBODY: "nobody",
}
QUESTIONS: dict[tuple[str, int], str] = {  # by name and number of arguments
    ("current_price", 0): "The price now",
    ("balance", 1): "Free balance of {}",
    ("position", 0): "What is held",
    ("account_info", 0): "The account",
    ("candles", 1): "The newest {} candles",
}
SAME = "The same came out: the same answer, value and reason, from the same code, settings and candles."
SAME_FROM_OTHERS = "The same answer came out, although something that went in is not what it was."
OTHER_FROM_OTHERS = "Another answer came out. What went in is not what it was, and may be why."
OTHER_FROM_THE_SAME = (
    "Another answer came out although all that went in is the same. So this bot does not decide by its "
    "candles, settings and account alone; it may look at a clock, or depend on chance. Do not count on its "
    "backtests."
)
DONE_DEEDS: dict[str, str] = {Order.Side.BUY: "Bought", Order.Side.SELL: "Sold"}


def skip_words(code: str) -> str:
    return SKIPS.get(code, code)


def source_words(code: str) -> str:
    return SOURCES.get(code, code)


def protection_words(protection: Protection) -> str:
    return PROTECTIONS.get(protection, "")


def limit_name(limit: Limit) -> str:
    return LIMITS[limit.name][0]


def limit_words(limit: Limit) -> str:
    return _limit_value(limit.name, limit.value)


def limit_source(limit: Limit) -> str:
    return LIMIT_SOURCES[limit.source]


def overruled(limit: Limit) -> str:
    """Return the trader's choice that a stricter limit of the platform stands in for, or ""."""
    return _limit_value(limit.name, limit.chosen) if limit.source == Source.PLATFORM else ""


def limit_rows(risk: RiskConfig) -> list[tuple[str, str]]:
    """Return name and value of each limit that is on."""
    values = {name: getattr(risk, name) for name in LIMITS}
    return [
        (LIMITS[name][0], _limit_value(name, value)) for name, value in values.items() if value is not None
    ]


def sizing_rows(sizing: ExecutionConfig, quote: str) -> list[tuple[str, str]]:
    """Return what orders are, in names and values; `quote` is the market's currency."""
    buys = {
        PERCENTAGE: f"{percent(sizing.buy_order_value)} of the allocated capital",
        FIXED: money(sizing.buy_order_value, quote),
    }
    is_part = sizing.sell_order_type == PERCENTAGE
    rows = [
        ("Each buy spends", buys.get(sizing.buy_order_type, "all of the free balance")),
        ("Each sell sells", f"{percent(sizing.sell_order_value) if is_part else 'all'} of the position"),
    ]
    if sizing.order_type != LIMIT:
        return [*rows, ("Orders", "market orders")]
    offset = sizing.limit_offset_percent
    where = f"{percent(offset)} below the bid or above the ask" if offset else "at the bid or the ask"
    then = "a market order" if sizing.limit_timeout_action == MARKET else "canceled"
    wait = f"{sizing.limit_timeout_seconds} seconds, then {then}"
    return [*rows, ("Orders", f"limit orders {where}"), ("Longest wait", wait)]


def value_words(value: object) -> str:
    """Return the value of a bot's parameter as people read it."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return plain(value)
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def verdict_words(verdict: str) -> str:
    return VERDICTS.get(verdict, verdict)


def short_verdict(verdict: str) -> str:
    return SHORT_VERDICTS.get(verdict, verdict)


def question_words(asked: Mapping[str, Any]) -> str:
    """Return what a bot asked, as a cycle keeps it."""
    name, arguments = asked["question"], asked["arguments"]
    known = QUESTIONS.get((name, len(arguments)))
    return known.format(*arguments) if known else " ".join([name, *map(str, arguments)])


def answer_words(asked: Mapping[str, Any]) -> str:
    """Return what it was told."""
    answer = asked["answer"]
    if asked["question"] == "candles" and isinstance(answer, dict) and "rows" in answer:
        return f"{answer['rows']} candles, with the fingerprint {answer['sha256']}"
    if isinstance(answer, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_fact(value)}" for name, value in answer.items())
    return _fact(answer)


def replay_words(replay: Replay) -> str:
    """Say what came out of a replay that ran."""
    is_given_the_same = not any(each["is_input"] for each in replay.differences)
    if replay.is_same:
        return SAME if is_given_the_same else SAME_FROM_OTHERS
    return OTHER_FROM_THE_SAME if is_given_the_same else OTHER_FROM_OTHERS


def moment(text: str) -> datetime:
    """Return the moment that a kept result has as text."""
    return datetime.fromisoformat(text)


def share_words(part: int, whole: int) -> str:
    """Return a share in percent, and never "0 %" or "100 %" of what is not."""
    share = 100 * part / whole
    if 0 < share < 1:
        return f"under 1{GROUP_SPACE}%"
    return f"{min(round(share), 99 if part < whole else 100)}{GROUP_SPACE}%"


def why(cycle: Cycle) -> str:
    """Return the reason behind the cycle: the stop's, the bot's own, or what went wrong."""
    return cycle.signal_reason if cycle.signal_source in SOURCES else cycle.reason or cycle.message


def order_why(order: Order) -> str:
    """Return what wanted the order, in short: the rule, or the bot."""
    return order.reason or SOURCES.get(order.source, "The bot.")


def outcome(cycle: Cycle) -> str:
    """Say in one sentence what came of the cycle. Select its `order` and market beforehand."""
    order: Order | None = getattr(cycle, "order", None)
    if order:
        return _order_outcome(cycle, order)
    if cycle.state == Cycle.State.RUNNING:
        return "Being decided now."
    if cycle.state == Cycle.State.INTERRUPTED:
        return "Interrupted: the worker stopped during this cycle."
    if cycle.skip:
        return skip_words(cycle.skip)
    return "No order." if cycle.signal_action in ("", Action.HOLD) else "The order was not placed."


def undecided_words(cycle: Cycle) -> str:
    """Say how many candles before the cycle's have none, or "". Take the cycle from `page_of_cycles`."""
    if cycle.previous_opened_at is None:
        return ""
    passed = (cycle.candle_opened_at - cycle.previous_opened_at) // duration(cycle.subscription.timeframe) - 1
    if passed < 1:
        return ""
    candles = "1 candle was" if passed == 1 else f"{passed} candles were"
    return (
        f"{candles} not decided here, as happens while it is paused, or while its account, the exchange or "
        "this marketplace does not answer."
    )


def _fact(value: object) -> str:
    return plain(value) if isinstance(value, float) else value_words(value)


def _limit_value(name: str, value: Decimal | int | None) -> str:
    return "off" if value is None else LIMITS[name][1].replace(" %", f"{GROUP_SPACE}%").format(plain(value))


def _order_outcome(cycle: Cycle, order: Order) -> str:
    amount = f"{order.amount.normalize():f} {cycle.subscription.market.base}"
    cause = f"{SOURCES[cycle.signal_source]}: " if cycle.signal_source in SOURCES else ""
    wish = f"{order.get_side_display().lower()} {amount}"
    match order.state:
        case Order.State.FILLED:
            return f"{cause}{DONE_DEEDS[order.side]} {amount}."
        case Order.State.REJECTED:
            return f"{cause}The exchange refused to {wish}."
        case Order.State.NOT_SENT:
            return f"{cause}The order to {wish} was not sent."
        case Order.State.OPEN:
            return f"{cause}The order to {wish} rests at the exchange until its price comes."
        case Order.State.CANCELED | Order.State.EXPIRED:
            return f"{cause}The order to {wish} was ended; what it filled is booked."
        case Order.State.UNKNOWN:
            return f"{cause}The order to {wish} has no definite answer yet; it is being checked."
        case _:
            return f"{cause}The order to {wish} is on its way."
