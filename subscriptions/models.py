"""A trader's agreement with a bot: which version, which market, with what settings and how much capital.

And what subscribers say of bots.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce, Now
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.effective_limits import Limit, effective, limits_in_force
from bot_sdk.money import exact
from bot_sdk.timeframes import duration
from bots.models import Bot, BotVersion
from exchanges.fields import AmountField
from exchanges.models import ExchangeAccount, Market, Timeframe
from subscriptions.platform_limits import platform_limits


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def of(self, user: User | AnonymousUser) -> "SubscriptionQuerySet":
        """What this person may see: their own. Staff use the admin."""
        return self.filter(trader=user) if user.is_authenticated else self.none()

    def active(self) -> "SubscriptionQuerySet":
        """What is looked after at every candle: its stops, and its bot where that is `asked`."""
        return self._able().filter(state=Subscription.State.ACTIVE)

    def closing(self) -> "SubscriptionQuerySet":
        """What sells all that it holds, and then stops; its bot and its stops are not asked any more."""
        return self._able().filter(state=Subscription.State.CLOSING)

    def with_activity(self) -> "SubscriptionQuerySet":
        """Each with `is_active`: whether it is among the `active`."""
        is_active = models.Q(state=Subscription.State.ACTIVE) & _is_able()
        return self.annotate(is_active=models.ExpressionWrapper(is_active, models.BooleanField()))

    def _able(self) -> "SubscriptionQuerySet":
        return self.filter(_is_able())

    def forward_runs(self) -> "SubscriptionQuerySet":
        """The marketplace's own, one of each version, for the bots' records; nobody subscribed to them."""
        return self.filter(trader=None)

    def of_traders(self) -> "SubscriptionQuerySet":
        """All that somebody subscribed to."""
        return self.filter(trader__isnull=False)

    def asked(self) -> "SubscriptionQuerySet":
        """Those whose bot may run: neither in quarantine, nor stopped by staff."""
        return self.filter(version__state__in=BotVersion.RUNNING, bot__state__in=Bot.RUNNING)

    def on_paper(self) -> "SubscriptionQuerySet":
        """Those whose orders fill in our own ledger."""
        return self.filter(IS_ON_PAPER)

    def live(self) -> "SubscriptionQuerySet":
        """Those that trade with real money."""
        return self.filter(account__environment=ExchangeAccount.Environment.LIVE)

    def smallest_timeframe(self) -> str | None:
        """The shortest timeframe among them, or None when there are none."""
        timeframes = self.order_by().values_list("timeframe", flat=True).distinct()
        return min(timeframes, key=duration, default=None)

    def with_names(self) -> "SubscriptionQuerySet":
        return self.select_related("bot", "version", "market", "account")

    def to_decide(self) -> "SubscriptionQuerySet":
        """With what deciding needs; those with the same bot, version, market or account share its object."""
        return self.prefetch_related("bot", "version__bot", "market", "account")


COULD_NOT_SELL = "What is held could not be sold:"  # begins the reason of a pause
IS_ON_PAPER = models.Q(account=None) | models.Q(account__environment=ExchangeAccount.Environment.PAPER)


def _is_able() -> models.Q:
    has_account = IS_ON_PAPER | models.Q(account__in=ExchangeAccount.objects.usable())
    return has_account & (models.Q(trader=None) | models.Q(trader__is_active=True))


class Subscription(models.Model):
    class State(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        PAUSED = "PAUSED", "Paused"
        CLOSING = "CLOSING", "Selling"
        STOPPED = "STOPPED", "Stopped"

    SENDING = (State.ACTIVE, State.CLOSING)  # in which orders may leave

    trader = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="subscriptions",
        help_text="empty: the marketplace itself, for the bot's record",
    )
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="subscriptions")
    version = models.ForeignKey(BotVersion, on_delete=models.PROTECT, related_name="subscriptions")
    account = models.ForeignKey(
        ExchangeAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="subscriptions",
        help_text="where its orders go; empty: filled on paper, in a ledger of ours",
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="subscriptions")
    timeframe = models.CharField(max_length=4, choices=Timeframe)
    allocated_capital = AmountField(help_text="quote currency that it may use; its own, apart from others'")
    strategy_config = models.JSONField(default=dict, blank=True)
    execution_config = models.JSONField(default=dict)
    risk_config = models.JSONField(default=dict, blank=True)  # as the trader chose; `risk` is what holds
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    state_reason = models.CharField(max_length=200, blank=True)
    sending_until = models.DateTimeField(
        null=True, blank=True, help_text="an order of it may be leaving until then; empty: none is"
    )
    revision = models.PositiveIntegerField(default=0, help_text="how often its settings were changed")
    rehearsal = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="gone_live",
        help_text="what tried its settings without real money before it; empty: nothing did",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="when its state, settings or capital last changed"
    )
    stopped_at = models.DateTimeField(null=True, blank=True)

    is_active: bool  # where `with_activity` has asked

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["state", "timeframe", "market"], name="subscriptions_due")]
        constraints = [
            models.CheckConstraint(condition=models.Q(allocated_capital__gt=0), name="capital_is_positive"),
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(trader=None), name="one_forward_run_per_version"
            ),
            models.CheckConstraint(
                condition=models.Q(trader__isnull=False) | models.Q(account=None),
                name="forward_run_is_on_paper",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bot.name} on {self.market.trading_pair} {self.timeframe}"

    def get_absolute_url(self) -> str:
        return reverse("execution:subscription", args=[self.pk])

    @property
    def is_on_paper(self) -> bool:
        return self.account is None or self.account.environment == ExchangeAccount.Environment.PAPER

    @property
    def is_live(self) -> bool:
        """Whether it trades with real money. Select `account` beforehand."""
        return self.account is not None and self.account.is_live

    @property
    def is_asked(self) -> bool:
        """Whether its bot may run, as `asked` has it. Select `bot` and `version` beforehand."""
        return self.version.may_run and self.bot.state in Bot.RUNNING

    @property
    def could_not_sell(self) -> bool:
        """Whether its trader wanted it sold and stopped, and the exchange refused the sale."""
        return self.state == self.State.PAUSED and self.state_reason.startswith(COULD_NOT_SELL)

    @property
    def account_name(self) -> str:
        return "Paper account" if self.account is None else str(self.account)

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """What the trader has settled, named as forms and operations name it."""
        return {
            "strategy_config": self.strategy_config,
            "execution_config": self.execution_config,
            "risk_config": self.risk_config,
        }

    @property
    def execution(self) -> ExecutionConfig:
        return ExecutionConfig.parse(self.execution_config)

    @property
    def chosen_risk(self) -> RiskConfig:
        return RiskConfig.parse(self.risk_config)

    @property
    def risk(self) -> RiskConfig:
        """The limits in force: the trader's choice, and the platform's where that is stricter."""
        return effective(self.chosen_risk, platform_limits())

    @property
    def limits_in_force(self) -> tuple[Limit, ...]:
        """Each limit of `risk` with who set it. Select the `version` beforehand."""
        return limits_in_force(
            chosen=self.chosen_risk, proposed=self.version.proposed_risk, platform=platform_limits()
        )

    @property
    def config(self) -> dict[str, Any]:
        """What the bot receives as `subscription_config`, in the guide's shape."""
        return self.config_with(**self.documents)

    def config_with(
        self,
        *,
        strategy_config: Mapping[str, Any],
        execution_config: Mapping[str, Any],
        risk_config: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the same with these documents in place of its own."""
        return {
            "exchange_type": self.market.exchange,
            "trading_pair": self.market.trading_pair,
            "timeframe": self.timeframe,
            "strategy_config": strategy_config,
            "execution_config": execution_config,
            "risk_config": effective(RiskConfig.parse(risk_config), platform_limits()).to_dict(),
        }


class SubscriptionDraft(models.Model):
    """What a trader has entered for a subscription that is not started; no secret is ever asked for there."""

    trader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="+")
    entered = models.JSONField(default=dict, help_text="what the form's fields were filled in with, by name")
    revision = models.PositiveIntegerField(default=0, help_text="how often something was entered")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-changed_at"]
        constraints = [
            models.UniqueConstraint(fields=["trader", "bot"], name="one_draft_per_trader_and_bot"),
        ]

    def __str__(self) -> str:
        return f"{self.trader}'s draft for {self.bot}"


class SubscriptionChange(models.Model):
    """What a trader changed of a subscription, and when; never changed afterwards."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="changes")
    revision = models.PositiveIntegerField(help_text="of the subscription, once this was changed")
    differences = models.JSONField(help_text="list of {label, old, new} in words, as the trader read them")
    before = models.JSONField(
        default=dict, blank=True, help_text="version's id and the documents until then; empty: not kept"
    )
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-revision"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "revision"], name="one_change_per_revision"),
        ]

    def __str__(self) -> str:
        return f"change {self.revision} of {self.subscription}"


class CapitalChange(models.Model):
    """Capital that a trader put into a subscription or took out of it; never changed afterwards."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="capital_changes")
    revision = models.PositiveIntegerField(help_text="of the subscription, once this was changed")
    amount = AmountField(help_text="quote; above zero was put in, below zero taken out")
    capital = AmountField(help_text="quote; allocated from then on")
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-revision"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "revision"], name="one_flow_per_revision"),
            models.CheckConstraint(
                condition=~models.Q(amount=0) & models.Q(capital__gt=0), name="some_flows_and_some_is_left"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():+f} for {self.subscription}"

    @property
    def before(self) -> Decimal:
        """What was allocated until then, in quote."""
        with exact():
            return self.capital - self.amount


class TradingState(models.TextChoices):
    """How far bots may trade, from the freest to the strictest."""

    ACTIVE = "ACTIVE", "Trading"
    REDUCING = "REDUCING", "Only selling"
    HALTED = "HALTED", "Halted"


class TradingSwitch(models.Model):
    """How far all bots of one trader may trade; the row without a trader holds for the whole platform."""

    trader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=16, choices=TradingState, default=TradingState.ACTIVE)
    reason = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    allowed_at = models.DateTimeField(
        null=True, blank=True, help_text="when a halt was last lifted; empty: never"
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name_plural = "trading switches"
        constraints = [
            # 0 is nobody's id: so there is one row of the platform
            models.UniqueConstraint(Coalesce("trader", 0), name="one_switch_per_trader"),
        ]

    def __str__(self) -> str:
        return f"{self.trader or 'The platform'}: {self.get_state_display()}"


class Envelope(models.Model):
    """What all bots of one trader together may hold and lose in one quote currency; empty: any amount."""

    trader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="envelopes")
    quote = models.CharField(max_length=16)
    max_exposure = AmountField(null=True, blank=True, help_text="quote; worth of all positions together")
    max_daily_loss = AmountField(null=True, blank=True, help_text="quote; of a UTC day")

    class Meta:
        ordering = ["trader", "quote"]
        constraints = [
            models.UniqueConstraint(fields=["trader", "quote"], name="one_envelope_per_quote"),
            models.CheckConstraint(
                condition=models.Q(max_exposure=None) | models.Q(max_exposure__gt=0),
                name="exposure_limit_is_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(max_daily_loss=None) | models.Q(max_daily_loss__gt=0),
                name="daily_loss_limit_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trader}: {self.quote}"


class SubscriberReviewQuerySet(models.QuerySet["SubscriberReview"]):
    def of(self, user: User | AnonymousUser) -> "SubscriberReviewQuerySet":
        """What this person wrote."""
        return self.filter(trader=user) if user.is_authenticated else self.none()

    def shown(self) -> "SubscriberReviewQuerySet":
        """What anybody may read."""
        return self.filter(hidden_at=None)

    def with_names(self) -> "SubscriberReviewQuerySet":
        return self.select_related("bot__developer", "version", "trader")


class SubscriberReview(models.Model):
    """What somebody who has subscribed to a bot says of it; what staff decide about a version is `Review`."""

    FEWEST_STARS, MOST_STARS = 1, 5

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="subscriber_reviews")
    trader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(
        BotVersion, on_delete=models.PROTECT, related_name="+", help_text="that they had when they wrote it"
    )
    days = models.PositiveIntegerField(help_text="of their longest subscription when they wrote it")
    is_live = models.BooleanField(help_text="that subscription traded with real money")
    stars = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(FEWEST_STARS), MaxValueValidator(MOST_STARS)]
    )
    text = models.TextField(help_text="plain, as it was typed")
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, help_text="the developer's; plain")
    answered_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(null=True, blank=True)
    hidden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    hidden_reason = models.CharField(max_length=300, blank=True, help_text="its author reads it")

    objects = SubscriberReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                fields=["bot", "-created_at"],
                condition=models.Q(hidden_at=None),
                name="subscriber_reviews_shown",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["bot", "trader"], name="one_review_per_trader"),
            models.CheckConstraint(condition=models.Q(stars__range=(1, 5)), name="stars_are_one_to_five"),
        ]

    def __str__(self) -> str:
        return f"{self.trader} about {self.bot}: {self.stars} of {self.MOST_STARS} stars"

    @property
    def is_hidden(self) -> bool:
        return self.hidden_at is not None


class ReviewReport(models.Model):
    """Somebody finds that a subscriber's review must not stand; staff settle it."""

    review = models.ForeignKey(SubscriberReview, on_delete=models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["review", "reporter"], name="one_report_per_person"),
        ]

    def __str__(self) -> str:
        return f"report of review {self.review_id} by {self.reporter}"
