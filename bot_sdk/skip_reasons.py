"""Why a cycle placed no order although a bot, or a stop, might have wanted one."""

from enum import StrEnum


class SkipReason(StrEnum):
    """A stable code, stored with the cycle. Sizing and limits give the first nine."""

    NO_POSITION = "no_position"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    BELOW_MINIMUM_COST = "below_minimum_cost"
    BELOW_MINIMUM_AMOUNT = "below_minimum_amount"
    POSITION_LIMIT = "position_limit"
    DRAWDOWN_HALT = "drawdown_halt"
    DAILY_LOSS_LIMIT = "daily_loss_limit"
    COOL_DOWN = "cool_down"
    ORDERS_PER_DAY = "orders_per_day"
    BOT_FAILED = "bot_failed"
    VERSION_QUARANTINED = "version_quarantined"
    BOT_STOPPED = "bot_stopped"
    STALE_CANDLE = "stale_candle"
    MISSING_CANDLE = "missing_candle"
    GAPPED_CANDLES = "gapped_candles"
    EXCHANGE_UNAVAILABLE = "exchange_unavailable"
    ORDER_REJECTED = "order_rejected"
    ORDER_NOT_SENT = "order_not_sent"
    ORDER_OPEN = "order_open"
    ORDER_UNKNOWN = "order_unknown"
    REDUCING_ONLY = "reducing_only"
    TRADING_HALTED = "trading_halted"
    EXPOSURE_LIMIT = "exposure_limit"
    TRADER_DAILY_LOSS = "trader_daily_loss"
    OUTSIDE_MISMATCH = "outside_mismatch"
    PLATFORM_ERROR = "platform_error"
