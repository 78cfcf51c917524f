"""An exchange's trading core, the same for every dialect: accounts, balances, and orders against the book.

Amounts, prices and balances are exact Decimals. What an account has locked is never stored: it is the sum of
what its open orders need, so that nothing can be left behind. Resting orders are looked at again whenever
somebody asks: each trade on the market's tape since then may trigger a stop or fill a limit.
"""

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum, StrEnum

from exchanges.simulator.clock import SimulatedClock
from exchanges.simulator.listings import LISTINGS, Listing
from exchanges.simulator.market import TRADE_MS, Market

ZERO = Decimal(0)
SMALLEST = Decimal("1e-8")  # of any asset
LEVELS = 500  # of the book that an order is matched against


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Force(StrEnum):
    """How long an order lasts."""

    GTC = "GTC"  # until it is canceled
    IOC = "IOC"  # what fills at once, and no more
    FOK = "FOK"  # wholly at once, or not at all
    POST = "POST"  # only if nothing fills at once


class State(StrEnum):
    WAITING = "WAITING"  # a stop that has not been triggered
    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reason(Enum):
    """Why an exchange says no; each dialect has its own words for it."""

    UNKNOWN_MARKET = "unknown market"
    UNKNOWN_ORDER = "unknown order"
    NOT_OPEN = "the order is not open any more"
    OFF_TICK = "the price is no whole number of ticks"
    OFF_STEP = "the amount is no whole number of steps"
    TOO_SMALL = "the amount is below the smallest"
    BELOW_MINIMUM_COST = "the cost is below the smallest"
    NO_FUNDS = "insufficient balance"
    DUPLICATE = "an open order has this client id"
    WOULD_TAKE = "the order would take from the book"
    WOULD_TRIGGER = "the stop would be triggered at once"
    NO_RIGHT = "the key may not do this"


class Refused(Exception):
    """The exchange refuses; nothing has changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class Terms:
    """What differs between exchanges in how they trade."""

    taker_fee: Decimal  # fraction of what the fee is taken from
    maker_fee: Decimal
    is_fee_of_received: bool  # else of the quote, and on top when buying
    is_id_forever: bool  # a client id means the same order for ever; else only while that is open


@dataclass(frozen=True)
class Ticket:
    """An order as it is sent in. A market order may say what it costs instead of its amount."""

    symbol: str
    side: Side
    amount: Decimal | None = None
    cost: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    is_stop_above: bool = False
    force: Force = Force.GTC
    client_id: str = ""
    fee_is_in_cost: bool = False


@dataclass(frozen=True)
class Execution:
    """One fill: its number is unique at the venue."""

    number: int
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    at: int  # ms
    is_maker: bool

    @property
    def cost(self) -> Decimal:
        return self.price * self.amount


@dataclass
class Order:
    """An accepted order."""

    number: int
    ticket: Ticket
    created_at: int  # ms
    updated_at: int  # ms
    state: State
    seen_trade: int  # the last one on the tape that it was matched against
    amount: Decimal | None
    triggered_at: int | None = None
    executions: list[Execution] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.state in (State.WAITING, State.OPEN)

    @property
    def is_market(self) -> bool:
        return self.ticket.limit is None

    @property
    def filled(self) -> Decimal:
        return sum((each.amount for each in self.executions), ZERO)

    @property
    def cost(self) -> Decimal:
        return sum((each.cost for each in self.executions), ZERO)

    @property
    def fee(self) -> Decimal:
        return sum((each.fee for each in self.executions), ZERO)

    @property
    def remaining(self) -> Decimal:
        return ZERO if self.amount is None else self.amount - self.filled

    @property
    def average(self) -> Decimal:
        return self.cost / self.filled if self.executions else ZERO


@dataclass
class Account:
    """One person's balances and orders, and what their key may do."""

    key: str
    secret: str
    rights: frozenset[str]
    is_restricted: bool  # to addresses
    totals: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    nonce: int = 0

    def open_orders(self) -> Iterator[Order]:
        return (order for order in self.orders.values() if order.is_open)

    def by_client_id(self, client_id: str) -> Order | None:
        """Return the newest order that was sent with this id."""
        found = [each for each in self.orders.values() if each.ticket.client_id == client_id]
        return found[-1] if client_id and found else None


class Venue:
    """One exchange. Every method may be called from any thread."""

    def __init__(self, market: Market, clock: SimulatedClock, terms: Terms) -> None:
        self.market = market
        self.clock = clock
        self.terms = terms
        self.accounts: dict[str, Account] = {}
        self.lock = threading.RLock()
        self._order_numbers = itertools.count(1001)
        self._execution_numbers = itertools.count(5001)
        self._books: dict[str, Book] = {}

    def book(self, symbol: str) -> "Book":
        """Return the order book now. Raises Refused for a market that is not listed."""
        if symbol not in LISTINGS:
            raise Refused(Reason.UNKNOWN_MARKET)
        book = self._books.setdefault(symbol, Book(self.market, LISTINGS[symbol]))
        book.turn_to(self.clock.milliseconds())
        return book

    def last_price(self, symbol: str) -> Decimal:
        """Return the last trade's price, in quote."""
        return self.market.quote(symbol, self.clock.milliseconds()).last * LISTINGS[symbol].tick

    def hold_price(self, symbol: str, price: Decimal | None) -> None:
        """Keep a market's price where it is told, or let it go again.

        A price that is set is a trade that every open order meets, also in a minute without others.
        """
        listing = LISTINGS[symbol]
        now = self.clock.milliseconds()
        with self.lock:
            self.refresh()
            ticks = None if price is None else max(1, round(price / listing.tick))
            self.market.hold(symbol, ticks, now)
            if ticks is None:
                return
            amount = Decimal(round(listing.volume / float(listing.step))) * listing.step
            for account in self.accounts.values():
                for order in list(account.open_orders()):
                    if order.ticket.symbol == symbol:
                        self._meet_trade(account, order, ticks * listing.tick, amount, now)

    def locked(self, account: Account) -> dict[str, Decimal]:
        """Return what the account's open orders hold back, by asset."""
        locked: dict[str, Decimal] = {}
        for order in account.open_orders():
            asset, amount = self._needed(order.ticket, order.remaining)
            locked[asset] = locked.get(asset, ZERO) + amount
        return locked

    def free(self, account: Account, asset: str) -> Decimal:
        """Return what the account may use of an asset now."""
        return account.totals.get(asset, ZERO) - self.locked(account).get(asset, ZERO)

    def place(self, account: Account, ticket: Ticket) -> Order:
        """Accept the order and fill what fills at once, or raise Refused.

        A client id that is in use for ever returns the order that has it.
        """
        with self.lock:
            self.refresh()
            namesake = account.by_client_id(ticket.client_id)
            if namesake is not None and self.terms.is_id_forever:
                return namesake
            if namesake is not None and namesake.is_open:
                raise Refused(Reason.DUPLICATE)
            self._check(ticket)
            self._check_funds(account, ticket)
            return self._accept(account, ticket)

    def cancel(self, order: Order) -> None:
        """Cancel an open order; what it held is free again. Raises Refused when it is not open any more."""
        with self.lock:
            self.refresh()
            if not order.is_open:
                raise Refused(Reason.NOT_OPEN)
            self._close(order, State.CANCELED, self.clock.milliseconds())

    def refresh(self) -> None:
        """Have every open order meet what was traded since it was last looked at."""
        now = self.clock.milliseconds()
        with self.lock:
            for account in self.accounts.values():
                for order in list(account.open_orders()):
                    self._meet_trades(account, order, now)

    def _check(self, ticket: Ticket) -> None:
        listing = LISTINGS.get(ticket.symbol)
        if listing is None:
            raise Refused(Reason.UNKNOWN_MARKET)
        for price in (ticket.limit, ticket.stop):
            if price is not None and (price <= 0 or price % listing.tick):
                raise Refused(Reason.OFF_TICK)
        if ticket.amount is not None:
            if ticket.amount % listing.step:
                raise Refused(Reason.OFF_STEP)
            if ticket.amount < listing.step:
                raise Refused(Reason.TOO_SMALL)
        if self._estimated_cost(ticket) < listing.minimum_cost:
            raise Refused(Reason.BELOW_MINIMUM_COST)
        if ticket.stop is not None and self._is_triggered(ticket, self.last_price(ticket.symbol)):
            raise Refused(Reason.WOULD_TRIGGER)

    def _estimated_cost(self, ticket: Ticket) -> Decimal:
        if ticket.cost is not None:
            return ticket.cost
        price = ticket.limit or ticket.stop or self.last_price(ticket.symbol)
        return price * (ticket.amount or ZERO)

    def _check_funds(self, account: Account, ticket: Ticket) -> None:
        asset, needed = self._needed(ticket, ticket.amount or ZERO)
        if needed > self.free(account, asset):
            raise Refused(Reason.NO_FUNDS)

    def _needed(self, ticket: Ticket, amount: Decimal) -> tuple[str, Decimal]:
        """Return what an order for so much more needs at most."""
        listing = LISTINGS[ticket.symbol]
        if ticket.side == Side.SELL:
            return listing.base, amount
        if ticket.cost is not None:
            cost = ticket.cost
        elif ticket.limit is None and ticket.stop is None:
            levels = self.book(ticket.symbol).matching(Side.BUY, None)
            cost = sum((price * part for price, part in _taken(levels, amount)), ZERO)
        else:
            cost = (ticket.limit or ticket.stop or ZERO) * amount
        is_fee_on_top = not self.terms.is_fee_of_received and not ticket.fee_is_in_cost
        return listing.quote, cost + (self._fee(cost, self.terms.taker_fee) if is_fee_on_top else ZERO)

    def _accept(self, account: Account, ticket: Ticket) -> Order:
        now = self.clock.milliseconds()
        parts = [] if ticket.stop is not None else self._parts(ticket)
        if ticket.force == Force.POST and parts:
            raise Refused(Reason.WOULD_TAKE)
        amount = sum((part for _, part in parts), ZERO) if ticket.amount is None else ticket.amount
        state = State.OPEN if ticket.stop is None else State.WAITING
        number = next(self._order_numbers)
        order = Order(number, ticket, now, now, state, seen_trade=now // TRADE_MS, amount=amount)
        account.orders[number] = order
        is_all = sum((part for _, part in parts), ZERO) == amount
        if ticket.force != Force.FOK or is_all:
            self._take(account, order, parts, now)
        if (
            order.is_open
            and ticket.stop is None
            and (order.is_market or ticket.force in (Force.IOC, Force.FOK))
        ):
            self._close(order, State.EXPIRED, now)
        return order

    def _parts(self, ticket: Ticket) -> list[tuple[Decimal, Decimal]]:
        """Return what the order takes from the book now, as (price, amount)."""
        levels = self.book(ticket.symbol).matching(ticket.side, ticket.limit)
        if ticket.amount is not None:
            return list(_taken(levels, ticket.amount))
        budget = ticket.cost or ZERO
        if ticket.fee_is_in_cost:
            budget /= 1 + self.terms.taker_fee
        return list(_bought(levels, budget, LISTINGS[ticket.symbol].step))

    def _take(self, account: Account, order: Order, parts: list[tuple[Decimal, Decimal]], now: int) -> None:
        book = self.book(order.ticket.symbol)
        for price, amount in parts:
            book.consume(order.ticket.side, price, amount)
            self._execute(account, order, price, amount, now, is_maker=False)

    def _meet_trades(self, account: Account, order: Order, now: int) -> None:
        newest = now // TRADE_MS
        if newest <= order.seen_trade:
            return
        trades = self.market.trades(order.ticket.symbol, order.seen_trade + 1, newest)
        tick, step = LISTINGS[order.ticket.symbol].tick, LISTINGS[order.ticket.symbol].step
        order.seen_trade = newest
        for number, ticks, steps in zip(trades.numbers, trades.prices, trades.amounts, strict=True):
            if steps and order.is_open:
                at = min(now, (number + 1) * TRADE_MS - 1)
                self._meet_trade(account, order, ticks * tick, steps * step, at)

    def _meet_trade(self, account: Account, order: Order, price: Decimal, amount: Decimal, at: int) -> None:
        ticket = order.ticket
        if order.state == State.WAITING:
            if not self._is_triggered(ticket, price):
                return
            order.state, order.triggered_at, order.updated_at = State.OPEN, at, at
            if ticket.limit is None:
                self._execute_stop(account, order, price, at)
                return
            if _is_within(ticket, price):
                self._execute(account, order, price, min(amount, order.remaining), at, is_maker=False)
                return
        limit = ticket.limit
        if limit is None or not _is_within(ticket, price):
            return
        # at its price it shares what was traded; a price beyond it has gone through the whole order
        part = min(amount, order.remaining) if price == limit else order.remaining
        self._execute(account, order, limit, part, at, is_maker=True)

    def _execute_stop(self, account: Account, order: Order, price: Decimal, at: int) -> None:
        """Fill a triggered market stop, unless the price has gone beyond what the account can pay."""
        held_asset, held = self._needed(order.ticket, order.remaining)
        at_price = replace(order.ticket, stop=price)
        if self._needed(at_price, order.remaining)[1] > self.free(account, held_asset) + held:
            self._close(order, State.CANCELED, at)
        else:
            self._execute(account, order, price, order.remaining, at, is_maker=False)

    @staticmethod
    def _is_triggered(ticket: Ticket, price: Decimal) -> bool:
        stop = ticket.stop or ZERO
        return price >= stop if ticket.is_stop_above else price <= stop

    def _execute(
        self, account: Account, order: Order, price: Decimal, amount: Decimal, at: int, *, is_maker: bool
    ) -> None:
        listing = LISTINGS[order.ticket.symbol]
        cost = price * amount
        rate = self.terms.maker_fee if is_maker else self.terms.taker_fee
        is_buy = order.ticket.side == Side.BUY
        received = (listing.base, amount) if is_buy else (listing.quote, cost)
        spent = (listing.quote, cost) if is_buy else (listing.base, amount)
        fee_asset, fee_of = received if self.terms.is_fee_of_received else (listing.quote, cost)
        fee = self._fee(fee_of, rate)
        for asset, change in ((received[0], received[1]), (spent[0], -spent[1]), (fee_asset, -fee)):
            account.totals[asset] = account.totals.get(asset, ZERO) + change
        number = next(self._execution_numbers)
        order.executions.append(Execution(number, price, amount, fee, fee_asset, at, is_maker))
        order.updated_at = at
        if order.remaining == 0:
            self._close(order, State.FILLED, at)

    @staticmethod
    def _fee(amount: Decimal, rate: Decimal) -> Decimal:
        return (amount * rate).quantize(SMALLEST, ROUND_HALF_UP)

    @staticmethod
    def _close(order: Order, state: State, at: int) -> None:
        order.state, order.updated_at = state, at


class Book:
    """One market's order book: what the tape shows, less what was taken from it since the last trade."""

    def __init__(self, market: Market, listing: Listing) -> None:
        self._market = market
        self._listing = listing
        self._now = 0
        self._trade = 0
        self._taken: dict[tuple[str, Decimal], Decimal] = {}
        self._fixed: dict[str, list[tuple[Decimal, Decimal]]] = {}
        self._scale = Decimal(1)

    def turn_to(self, now: int) -> None:
        """Show the moment `now`; after another trade what was taken has come back."""
        self._now = now
        if now // TRADE_MS != self._trade and not self._fixed:
            self._taken.clear()
        self._trade = now // TRADE_MS

    def fix(self, levels: Mapping[str, list[tuple[Decimal, Decimal]]], scale: Decimal) -> None:
        """Show these levels, by side "bids" and "asks", until told otherwise; {} shows the tape's again.

        `scale` multiplies the amounts of the tape's levels.
        """
        self._fixed = dict(levels)
        self._scale = scale
        self._taken.clear()

    def levels(self, side: str, count: int) -> list[tuple[Decimal, Decimal]]:
        """Return the best (price, amount) of the "bids" or "asks" that are left, best first."""
        shown = self._fixed[side] if side in self._fixed else self._from_tape(side, count)
        left = ((price, amount - self._taken.get((side, price), ZERO)) for price, amount in shown)
        return [(price, amount) for price, amount in left if amount > 0][:count]

    def matching(self, side: Side, limit: Decimal | None) -> list[tuple[Decimal, Decimal]]:
        """Return the levels that an order of this side can take, best first."""
        levels = self.levels("asks" if side == Side.BUY else "bids", LEVELS)
        if limit is None:
            return levels
        return [level for level in levels if (level[0] <= limit if side == Side.BUY else level[0] >= limit)]

    def consume(self, side: Side, price: Decimal, amount: Decimal) -> None:
        """Take what an order of this side got from the level at `price`."""
        level = ("asks" if side == Side.BUY else "bids", price)
        self._taken[level] = self._taken.get(level, ZERO) + amount

    def _from_tape(self, side: str, count: int) -> Iterator[tuple[Decimal, Decimal]]:
        tick, step = self._listing.tick, self._listing.step
        for ticks, steps in self._market.depth(self._listing.symbol, side, count, self._now):
            yield ticks * tick, max(step, steps * self._scale // 1 * step)


def _taken(levels: list[tuple[Decimal, Decimal]], amount: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    for price, available in levels:
        if amount <= 0:
            return
        part = min(available, amount)
        amount -= part
        yield price, part


def _bought(
    levels: list[tuple[Decimal, Decimal]], budget: Decimal, step: Decimal
) -> Iterator[tuple[Decimal, Decimal]]:
    """Spend up to `budget` in whole steps."""
    for price, available in levels:
        part = min(available, budget / price // step * step)
        if part <= 0:
            return
        budget -= part * price
        yield price, part


def _is_within(ticket: Ticket, price: Decimal) -> bool:
    """Tell whether the limit allows this price."""
    limit = ticket.limit or ZERO
    return price <= limit if ticket.side == Side.BUY else price >= limit
