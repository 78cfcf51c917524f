"""What a bot is told about the account that it trades for, the same wherever it runs."""

from decimal import Decimal

from bot_sdk.bot import Snapshot
from bot_sdk.ledger import Holding


def snapshot_of(holding: Holding, price: Decimal, trading_pair: str) -> Snapshot:
    """Return the facts about `holding` at `price`, in quote per base, for a pair such as "BTC/USDT".

    `balances` has the pair's two assets. `account_info` has trading_pair, quote_balance, base_amount,
    average_entry_price (None when flat), equity, realized_pnl and unrealized_pnl, all numbers as float.
    """
    base, quote = trading_pair.split("/")
    entry = holding.average_entry_price
    return Snapshot(
        current_price=float(price),
        balances={base: float(holding.base_amount), quote: float(holding.quote_balance)},
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
