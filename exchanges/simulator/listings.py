"""The markets of the simulated exchange."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Listing:
    """One simulated spot market.

    `price` (quote per base) and `volume` (base per minute) are typical values that the market moves around.
    A market with `cross_of` is the quotient of two others, so that the three always agree.
    """

    base: str
    quote: str
    price: float
    volume: float
    tick: Decimal  # of the price
    step: Decimal  # of the amount
    minimum_cost: Decimal
    cross_of: tuple[str, str] | None = None

    @property
    def symbol(self) -> str:
        return self.base + self.quote


def _against_usdt(base: str, price: float, volume: float, tick: str, step: str) -> Listing:
    return Listing(base, "USDT", price, volume, Decimal(tick), Decimal(step), minimum_cost=Decimal(5))


LISTINGS: dict[str, Listing] = {
    listing.symbol: listing
    for listing in (
        _against_usdt("BTC", 64_000, 14, "0.01", "0.00001"),
        _against_usdt("ETH", 3_200, 260, "0.01", "0.0001"),
        _against_usdt("BNB", 580, 210, "0.01", "0.001"),
        _against_usdt("SOL", 150, 2_400, "0.01", "0.001"),
        _against_usdt("XRP", 0.62, 240_000, "0.0001", "1"),
        _against_usdt("ADA", 0.45, 130_000, "0.0001", "0.1"),
        _against_usdt("LTC", 82, 480, "0.01", "0.001"),
        Listing(
            "ETH",
            "BTC",
            price=0.05,
            volume=12,
            tick=Decimal("0.00001"),
            step=Decimal("0.001"),
            minimum_cost=Decimal("0.0001"),
            cross_of=("ETHUSDT", "BTCUSDT"),
        ),
    )
}
