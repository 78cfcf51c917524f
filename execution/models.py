"""A bot at work: what it decided at each candle, what was ordered, what was filled and what is held."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bot_sdk.code_shape import unpacked
from bot_sdk.ledger import Holding
from bot_sdk.process.verdicts import Verdict
from bot_sdk.risk_state import RiskState
from bots.models import BotVersion
from exchanges.fields import AmountField
from exchanges.gateway import ARRIVES_WITHIN
from exchanges.models import ExchangeAccount, Market, Timeframe
from subscriptions.models import Subscription

BACKTEST_SILENCE = timedelta(minutes=2)  # of its worker, after which a backtest counts as lost


class Action(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"
    HOLD = "HOLD", "Hold"


class CycleQuerySet(models.QuerySet["Cycle"]):
    def of(self, subscription: Subscription) -> "CycleQuerySet":
        return self.filter(subscription=subscription)

    def claimed_by(self, cycle: "Cycle") -> "CycleQuerySet":
        """The cycle's row, as long as it is still running under this cycle's claim."""
        return self.filter(pk=cycle.pk, claim=cycle.claim, state=Cycle.State.RUNNING)

    def to_conclude(self) -> "CycleQuerySet":
        """With all that acting on a decision needs."""
        return self.prefetch_related(models.Prefetch("subscription", Subscription.objects.to_decide()))

    def slow_subscriptions(self, cycles: Iterable["Cycle"], since: datetime) -> set[int]:
        """Which subscriptions of these cycles had a bot that was out of time since then."""
        ids = [cycle.subscription_id for cycle in cycles]
        timed_out = self.filter(subscription__in=ids, candle_opened_at__gte=since, verdict=Verdict.TIMED_OUT)
        return set(timed_out.values_list("subscription_id", flat=True))

    def lost(self, at: datetime) -> "CycleQuerySet":
        """Cycles whose worker has not finished them within its lease."""
        return self.filter(state=Cycle.State.RUNNING, lease_until__lt=at)


class Cycle(models.Model):
    """One pass crawl → indicators → algorithm → risk → signal, for one subscription and one candle."""

    class State(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        INTERRUPTED = "INTERRUPTED", "Interrupted"

    previous_opened_at: datetime | None = None  # of the cycle before, in a `page_of_cycles`

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="cycles")
    candle_opened_at = models.DateTimeField()
    candle_closed_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    claim = models.UUIDField(help_text="names the one worker that may finish this cycle")
    lease_until = models.DateTimeField(help_text="after this moment the cycle counts as interrupted")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(
        default=0, help_text="of the subscription when it began; what is changed later overtakes its order"
    )

    verdict = models.CharField(max_length=16, choices=[(v.value, v.value) for v in Verdict], blank=True)
    message = models.TextField(blank=True, help_text="what went wrong, for the trader")
    action = models.CharField(max_length=8, choices=Action, blank=True, help_text="what the bot returned")
    value = models.FloatField(null=True, blank=True, help_text="the action's value as the bot gave it")
    reason = models.CharField(max_length=500, blank=True, help_text="in the bot's words")
    signal_action = models.CharField(
        max_length=8, choices=Action, blank=True, help_text="after risk management"
    )
    signal_source = models.CharField(max_length=16, blank=True)
    signal_reason = models.CharField(max_length=500, blank=True)
    skip = models.CharField(max_length=32, blank=True, help_text="code: why a wish did not become an order")
    price = AmountField(null=True, blank=True, help_text="market price at the decision, in quote")
    equity = AmountField(null=True, blank=True, help_text="after the cycle, in quote")
    capital = AmountField(
        null=True, blank=True, help_text="allocated then, in quote; empty: never changed until then"
    )
    growth = AmountField(
        null=True, blank=True, help_text="of one quote since the start, time-weighted; empty: equity/capital"
    )

    inputs = models.CharField(max_length=64, blank=True, help_text="sha256 over the receipt")
    receipt = models.JSONField(default=dict, blank=True, help_text="sha256 of each input of the decision")
    asked = models.JSONField(default=list, blank=True, help_text="what the bot asked and was told")
    is_shared = models.BooleanField(default=False, help_text="one run served all with the same inputs")
    log = models.TextField(blank=True, help_text="what the bot printed, bounded")
    bot_seconds = models.FloatField(null=True, blank=True)
    bot_cpu_seconds = models.FloatField(null=True, blank=True)
    bot_peak_memory_mb = models.FloatField(null=True, blank=True)

    objects = CycleQuerySet.as_manager()

    class Meta:
        ordering = ["-candle_opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "candle_opened_at"], name="one_cycle_per_candle"),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=models.Q(state="RUNNING"), name="cycles_running"),
            models.Index(
                fields=["subscription", "-candle_opened_at"],
                condition=models.Q(action__in=["BUY", "SELL"]),
                name="cycles_with_a_wish",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} at {self.candle_closed_at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("execution:cycle", args=[self.subscription_id, self.pk])

    @property
    def has_failed(self) -> bool:
        return self.state == Cycle.State.INTERRUPTED or self.verdict not in ("", Verdict.OK)


class Strike(models.Model):
    """A candle on which a version ended in a way that counts against it; three put it in quarantine."""

    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="strikes")
    candle_closed_at = models.DateTimeField()
    verdict = models.CharField(max_length=16, choices=[(v.value, v.value) for v in Verdict])
    message = models.CharField(max_length=600, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["version", "candle_closed_at"], name="one_strike_per_candle"),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.verdict}"


GUARD = "guard"  # the leg of a stop order that rests at the exchange
TRADER = "trader"  # the source of an order that neither a bot nor a limit wanted


class OrderQuerySet(models.QuerySet["Order"]):
    def unsettled(self) -> "OrderQuerySet":
        """Orders that may have reached an exchange, of which nobody knows what became."""
        is_lost = models.Q(state=Order.State.SENDING, send_by__lt=timezone.now())
        return self.filter(models.Q(state=Order.State.UNKNOWN) | is_lost)

    def unfinished(self) -> "OrderQuerySet":
        return self.filter(state__in=[Order.State.SENDING, Order.State.OPEN, Order.State.UNKNOWN])

    def in_the_way(self, subscription: Subscription, side: str) -> "OrderQuerySet":
        """What of the subscription's has to end before an order; a resting stop hinders no buy."""
        hindering = self.unfinished().filter(subscription=subscription)
        return hindering.exclude(leg=GUARD, state=Order.State.OPEN) if side == Order.Side.BUY else hindering

    def on_paper(self) -> "OrderQuerySet":
        return self.filter(subscription__in=Subscription.objects.on_paper())

    def at_exchanges(self) -> "OrderQuerySet":
        return self.exclude(subscription__in=Subscription.objects.on_paper())


class Order(models.Model):
    """What we ask the exchange for. The row exists before anything is sent.

    NEW may be sent, once. SENDING and UNKNOWN may have arrived: only the exchange, asked after `settles_at`,
    or staff can say. OPEN rests at the exchange. The others are final.
    """

    class Side(models.TextChoices):
        BUY = "BUY", "Buy"
        SELL = "SELL", "Sell"

    class Kind(models.TextChoices):
        MARKET = "MARKET", "Market"
        LIMIT = "LIMIT", "Limit"

    class State(models.TextChoices):
        NEW = "NEW", "New"
        SENDING = "SENDING", "Sending"
        OPEN = "OPEN", "Open"
        FILLED = "FILLED", "Filled"
        CANCELED = "CANCELED", "Canceled"
        EXPIRED = "EXPIRED", "Expired"
        REJECTED = "REJECTED", "Rejected"
        NOT_SENT = "NOT_SENT", "Not sent"
        UNKNOWN = "UNKNOWN", "Checking"

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="orders")
    cycle = models.OneToOneField(Cycle, on_delete=models.PROTECT, related_name="order", null=True, blank=True)
    client_order_id = models.UUIDField(unique=True)
    leg = models.CharField(max_length=16, default="signal", help_text="which order of its moment this is")
    moment_at = models.DateTimeField(help_text="the candle's close, or the minute, that it was placed for")
    side = models.CharField(max_length=8, choices=Side)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.MARKET)
    amount = AmountField(help_text="base")
    limit_price = AmountField(null=True, blank=True, help_text="quote per base; of a limit order")
    stop_price = AmountField(
        null=True, blank=True, help_text="quote per base; there a stop order becomes the limit order"
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="when an open order is ended")
    source = models.CharField(max_length=16, blank=True, help_text="bot, or the rule that wanted it")
    reason = models.CharField(max_length=500, blank=True)
    payload = models.CharField(max_length=64, blank=True, help_text="sha256 of what is sent")
    state = models.CharField(max_length=16, choices=State, default=State.NEW)
    message = models.CharField(max_length=300, blank=True)
    exchange_order_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    send_by = models.DateTimeField(null=True, blank=True, help_text="after it nothing of it leaves")
    absences = models.PositiveSmallIntegerField(
        default=0, help_text="how often the exchange did not know it after the fence"
    )
    looked_up_at = models.DateTimeField(null=True, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        permissions = [("end_order", "Can end an order of unknown fate")]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="order_amount_is_positive"),
            models.CheckConstraint(
                condition=models.Q(kind="MARKET", limit_price=None)
                | models.Q(kind="LIMIT", limit_price__gt=0),
                name="limit_order_has_a_price",
            ),
            models.UniqueConstraint(
                fields=["subscription", "moment_at", "leg"], name="one_order_per_moment_and_leg"
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "subscription"],
                condition=models.Q(state__in=["NEW", "SENDING", "OPEN", "UNKNOWN"]),
                name="orders_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_side_display()} {self.amount.normalize():f} {self.subscription.market.base}"

    @property
    def is_final(self) -> bool:
        return self.state not in NOT_FINAL

    @property
    def settles_at(self) -> datetime | None:
        """From when on the exchange can tell for sure whether it came; None before it is sent."""
        return self.send_by and self.send_by + ARRIVES_WITHIN[self.subscription.market.exchange]


NOT_FINAL = [Order.State.NEW, Order.State.SENDING, Order.State.OPEN, Order.State.UNKNOWN]


class Fill(models.Model):
    """One execution of an order, booked once by the exchange's trade id."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    trade_id = models.CharField(max_length=64)
    price = AmountField(help_text="quote per base")
    amount = AmountField(help_text="base")
    cost = AmountField(help_text="quote")
    fee = AmountField(help_text="in the fee currency")
    fee_currency = models.CharField(max_length=16)
    filled_at = models.DateTimeField()

    class Meta:
        ordering = ["-filled_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "trade_id"], name="one_fill_per_trade_id"),
            models.CheckConstraint(condition=models.Q(price__gt=0, amount__gt=0), name="fill_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} at {self.price.normalize():f}"


class Position(models.Model):
    """What a subscription holds now of its capital; always the sum of that and of its fills.

    A market order at an exchange can cost more than was thought: the quote balance then falls below zero.
    """

    subscription = models.OneToOneField(Subscription, on_delete=models.PROTECT, related_name="position")
    quote_balance = AmountField(help_text="quote")
    base_amount = AmountField(default=0, help_text="base")
    cost_basis = AmountField(default=0, help_text="quote paid for what is held, fees included")
    realized_pnl = AmountField(default=0, help_text="quote, fees included")
    fees_paid = AmountField(default=0, help_text="quote; without fees taken in a third coin")
    risk_state = models.JSONField(default=dict, blank=True, help_text="what risk rules remember")
    watched_at = models.DateTimeField(
        null=True, blank=True, help_text="when its stops were last held against the price, or it was bought"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(base_amount__gte=0, cost_basis__gte=0),
                name="position_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.base_amount.normalize():f} {self.subscription.market.base}"

    @property
    def past(self) -> RiskState:
        """What the risk rules remember. Select its `subscription` beforehand."""
        if self.risk_state:
            return RiskState.from_dict(self.risk_state)
        return RiskState.start(self.subscription.allocated_capital)

    @property
    def holding(self) -> Holding:
        return Holding(
            quote_balance=self.quote_balance,
            base_amount=self.base_amount,
            cost_basis=self.cost_basis,
            realized_pnl=self.realized_pnl,
            fees_paid=self.fees_paid,
        )


class SubscriptionPerformance(models.Model):
    """How a subscription has done up to its newest cycle, measured as backtests are. A worker computes it."""

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, related_name="performance")
    measured_at = models.DateTimeField()
    measured_until = models.DateTimeField(help_text="opening of the newest candle that is in it")
    metrics = models.JSONField(help_text="by key, as in bot_sdk.metric_table; null where one says nothing")
    daily = models.JSONField(
        help_text="start_on; at the end of each UTC day equity, in quote, as if no capital was put in or "
        "taken out, and market, in quote per base; where some was, money: the start and the profit so far"
    )
    trades = models.PositiveIntegerField(help_text="closed round trips")
    execution = models.JSONField(
        help_text="latency_seconds, slippage_percent, fees in quote, cycles by skip and by verdict"
    )
    thinned_until = models.DateTimeField(
        null=True, blank=True, help_text="its cycles before it are thinned as execution.thinning has it"
    )

    def __str__(self) -> str:
        return f"{self.subscription} until {self.measured_until:%Y-%m-%d %H:%M}"

    @property
    def days(self) -> int:
        """How many UTC days are in it, the first and the last perhaps in part."""
        return len(self.daily["equity"]) - 1


class Reconciliation(models.Model):
    """What an exchange account was found to hold, beside what our books say of it."""

    account = models.ForeignKey(ExchangeAccount, on_delete=models.CASCADE, related_name="reconciliations")
    at = models.DateTimeField()
    is_judged = models.BooleanField(help_text="no: put off, since orders were on their way")
    is_clean = models.BooleanField(help_text="nothing was found that must not be")
    findings = models.JSONField(default=list, blank=True, help_text="kind, subject, sentence and trade ids")

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["account", "-at"], name="reconciliations_newest")]

    def __str__(self) -> str:
        return f"{self.account} at {self.at:%Y-%m-%d %H:%M}"


class BacktestQuerySet(models.QuerySet["Backtest"]):
    def of(self, user: User | AnonymousUser) -> "BacktestQuerySet":
        """What this person asked for."""
        return self.filter(requested_by=user) if user.is_authenticated else self.none()

    def shown_to(self, user: User | AnonymousUser) -> "BacktestQuerySet":
        """One's own, and whatever its owner shares by its link."""
        shared = models.Q(is_shared=True)
        return self.filter(shared | models.Q(requested_by=user) if user.is_authenticated else shared)

    def unfinished(self) -> "BacktestQuerySet":
        return self.filter(state__in=[Backtest.State.QUEUED, Backtest.State.RUNNING])

    def lost(self, at: datetime) -> "BacktestQuerySet":
        """Running ones whose worker gives no sign any more."""
        return self.filter(state=Backtest.State.RUNNING, seen_at__lt=at - BACKTEST_SILENCE)

    def ahead_of(self, backtest: "Backtest") -> "BacktestQuerySet":
        """Whatever a worker takes, or has taken, before one that waits."""
        return self.unfinished().filter(created_at__lt=backtest.created_at)

    def with_names(self) -> "BacktestQuerySet":
        return self.select_related("version__bot", "market").defer("report", "log")


class Backtest(models.Model):
    """One version of a bot over past candles of one market: what was asked, how far it is, what came out.

    Its address holds a random id, so that a link can be shared without telling of any other backtest.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED", "Waiting"
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        CANCELED = "CANCELED", "Canceled"
        ENDED_EARLY = "ENDED_EARLY", "Ended early"
        FAILED = "FAILED", "Failed"

    class Stage(models.TextChoices):
        """What a worker is at, one after the other; as `doing` says it."""

        FETCHING = "Fetching candles"
        ASKING = "Asking the bot"
        MEASURING = "Measuring"

    class FillAt(models.TextChoices):
        """The SDK's ways to fill a market order, as choices."""

        NEXT_OPEN = "next_open", "At the next candle's open"
        CLOSE = "close", "At the candle's close"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="backtests")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="backtests",
        help_text="empty: the marketplace itself, for the bot's record",
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=4, choices=Timeframe)
    begins_at = models.DateTimeField(help_text="opening of the first candle that is decided on")
    ends_at = models.DateTimeField(help_text="candles that close later are left out")
    capital = AmountField(help_text="in quote")
    strategy_config = models.JSONField(default=dict, blank=True)
    execution_config = models.JSONField(default=dict, help_text="as in ExecutionConfig")
    risk_config = models.JSONField(default=dict, blank=True, help_text="as in RiskConfig")
    fill_at = models.CharField(max_length=16, choices=FillAt, default=FillAt.NEXT_OPEN)
    slippage_percent = models.DecimalField(max_digits=6, decimal_places=4, default=0)
    detail_timeframe = models.CharField(
        max_length=4, choices=Timeframe, blank=True, help_text="whose candles tell the order of prices"
    )
    is_strict = models.BooleanField(
        default=False, help_text="each candle is released when the bot has answered for the one before"
    )

    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    is_cancel_wanted = models.BooleanField(default=False)
    claim = models.UUIDField(null=True, blank=True, help_text="names the one worker that may write it")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="when its worker last gave a sign")
    doing = models.CharField(max_length=60, blank=True, help_text="what its worker is at")
    progress_percent = models.PositiveSmallIntegerField(default=0, help_text="of what it is doing")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    verdict = models.CharField(max_length=16, choices=[(v.value, v.value) for v in Verdict], blank=True)
    message = models.TextField(blank=True, help_text="why it ended as it did, for the person")
    report = models.JSONField(null=True, blank=True, help_text="as bot_sdk.backtest_report has it")
    log = models.TextField(blank=True, help_text="what the bot printed, bounded")
    bot_seconds = models.FloatField(null=True, blank=True)
    bot_cpu_seconds = models.FloatField(null=True, blank=True)
    bot_peak_memory_mb = models.FloatField(null=True, blank=True)
    is_shared = models.BooleanField(default=False, help_text="whoever has the link may read it")

    objects = BacktestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("begins_at")), name="backtest_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=models.Q(capital__gt=0), name="backtest_has_capital"),
        ]
        indexes = [
            models.Index(
                fields=["requested_by"],
                condition=models.Q(state__in=["QUEUED", "RUNNING"]),
                name="backtests_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.market} {self.timeframe}"

    def get_absolute_url(self) -> str:
        return reverse("execution:backtest", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.state not in (Backtest.State.QUEUED, Backtest.State.RUNNING)

    @property
    def last_at(self) -> datetime:
        """A moment within its last day, for a period that is read as its first and last day."""
        return self.ends_at - timedelta(microseconds=1)


class BotRecord(models.Model):
    """How one version of a bot has done, of one kind; pages show the kinds apart."""

    class Kind(models.TextChoices):
        BACKTEST = "BACKTEST", "Backtest by the marketplace"
        FORWARD = "FORWARD", "On paper since publication"
        SUBSCRIBERS = "SUBSCRIBERS", "Results of subscribers"

    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="records")
    kind = models.CharField(max_length=16, choices=Kind)
    backtest = models.ForeignKey(
        Backtest, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="its source"
    )
    measured_at = models.DateTimeField(null=True, blank=True, help_text="empty: it is being measured")
    days = models.PositiveIntegerField(default=0, help_text="that are in it; of several, the median")
    figures = models.JSONField(default=dict, blank=True, help_text="as what measures each kind has it")
    line = models.JSONField(
        default=list, blank=True, help_text="equity by days, thinned; quote, oldest first"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "kind"], name="one_record_of_each_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.version}"


class CodeShape(models.Model):
    """The shape of a version's code, by which it is compared with others; `bot_sdk.code_shape` makes it."""

    version = models.OneToOneField(BotVersion, on_delete=models.CASCADE, related_name="shape")
    packed = models.BinaryField(help_text="as bot_sdk.code_shape packs it")

    def __str__(self) -> str:
        return f"shape of {self.version}"

    @property
    def numbers(self) -> Sequence[int]:
        return unpacked(bytes(self.packed))


class RerunQuerySet[Row: models.Model](models.QuerySet[Row]):
    def unfinished(self) -> Self:
        return self.filter(state__in=Rerun.UNFINISHED)

    def lost(self, at: datetime) -> Self:
        """Those whose worker has not finished them within its lease."""
        return self.filter(state=Rerun.State.RUNNING, lease_until__lt=at)


class Rerun(models.Model):
    """What was decided, asked of a bot once more because somebody wants to know. No order comes of it."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        FAILED = "FAILED", "Not run"

    UNFINISHED = (State.WAITING, State.RUNNING)

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    claim = models.UUIDField(null=True, blank=True, help_text="names the one worker that may write it")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="after it its worker counts as lost")
    finished_at = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True, help_text="why it was not run, for the person")

    objects = RerunQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def is_finished(self) -> bool:
        return self.state not in Rerun.UNFINISHED


class Replay(Rerun):
    """One cycle's decision, made again from what its receipt names."""

    cycle = models.ForeignKey(Cycle, on_delete=models.CASCADE, related_name="replays")
    answer = models.JSONField(default=dict, blank=True, help_text="as execution.replaying keeps it")
    is_same = models.BooleanField(null=True, blank=True, help_text="the same answer; empty: there was no run")
    differences = models.JSONField(
        default=list, blank=True, help_text="label, then, now, says and whether it is_input, of each"
    )

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["cycle"],
                condition=models.Q(state__in=["WAITING", "RUNNING"]),
                name="one_replay_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["asked_by", "asked_at"], name="replays_of_person")]

    def __str__(self) -> str:
        return f"replay of {self.cycle}"


class Comparison(Rerun):
    """The newest decisions of a subscription, beside what another version of its bot says at each of them."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="comparisons")
    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="+")
    settings = models.CharField(max_length=64, help_text="sha256 of what the bot would be given")
    newest_candle_at = models.DateTimeField(help_text="opening of the newest candle that was decided")
    result = models.JSONField(default=dict, blank=True, help_text="as execution.comparing keeps it")

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "version", "settings", "newest_candle_at"],
                name="one_comparison_of_the_same",
            ),
        ]
        indexes = [models.Index(fields=["asked_by", "asked_at"], name="comparisons_of_person")]

    def __str__(self) -> str:
        return f"{self.version} beside {self.subscription}"
