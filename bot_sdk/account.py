"""What a bot is told about the account that it trades for, the same wherever it runs."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from bot_sdk.bot import CandleRow, Snapshot
from bot_sdk.ledger import Holding

if TYPE_CHECKING:
    import pandas as pd

CANDLE_COLUMNS = ["open", "high", "low", "close", "volume"]


def snapshot_of(
    holding: Holding, price: Decimal, trading_pair: str, candles: Callable[[int], Sequence[CandleRow]]
) -> Snapshot:
    """Return the facts about `holding` at `price`, in quote per base, for a pair such as "BTC/USDT".

    `candles` is what `candles_of` returns. `balances` has the pair's two assets. `position` has base_amount,
    average_entry_price and unrealized_pnl, `account_info` has trading_pair, quote_balance, base_amount,
    average_entry_price (None when flat), equity, realized_pnl and unrealized_pnl, all numbers as float.
    """
    base, quote = trading_pair.split("/")
    entry = holding.average_entry_price
    return Snapshot(
        current_price=float(price),
        balances={base: float(holding.base_amount), quote: float(holding.quote_balance)},
        position={
            "base_amount": float(holding.base_amount),
            "average_entry_price": None if entry is None else float(entry),
            "unrealized_pnl": float(holding.unrealized_pnl(price)),
        },
        candles=candles,
        account_info={
            "trading_pair": trading_pair,
            "quote_balance": float(holding.quote_balance),
            "base_amount": float(holding.base_amount),
            "average_entry_price": None if entry is None else float(entry),
            "equity": float(holding.equity(price)),
            "realized_pnl": float(holding.realized_pnl),
            "unrealized_pnl": float(holding.unrealized_pnl(price)),
        },
    )


def candles_of(frame: "pd.DataFrame") -> Callable[[int], list[CandleRow]]:
    """Return what gives the newest rows of a frame of candles, in the shape in which bots are answered."""

    import pandas as pd  # noqa: PLC0415

    def newest(count: int) -> list[CandleRow]:
        rows = frame[CANDLE_COLUMNS].iloc[-count:]
        opened_at = pd.DatetimeIndex(rows.index).as_unit("ms").asi8
        return [
            (int(stamp), *values) for stamp, values in zip(opened_at, rows.to_numpy().tolist(), strict=True)
        ]

    return newest
