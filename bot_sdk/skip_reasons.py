"""Why a cycle placed no order although a bot, or a stop, might have wanted one."""

from enum import StrEnum


class SkipReason(StrEnum):
    """A stable code, stored with the cycle. The first five come from sizing, the others from the platform."""

    NO_POSITION = "no_position"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    BELOW_MINIMUM_COST = "below_minimum_cost"
    BELOW_MINIMUM_AMOUNT = "below_minimum_amount"
    POSITION_LIMIT = "position_limit"
    BOT_FAILED = "bot_failed"
    VERSION_QUARANTINED = "version_quarantined"
    STALE_CANDLE = "stale_candle"
    MISSING_CANDLE = "missing_candle"
    GAPPED_CANDLES = "gapped_candles"
    EXCHANGE_UNAVAILABLE = "exchange_unavailable"
    ORDER_REJECTED = "order_rejected"
    PLATFORM_ERROR = "platform_error"
