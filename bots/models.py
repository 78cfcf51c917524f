"""The product: a bot, its immutable versions and the files each version consists of.

A version is a draft while its developer gathers its files. From when it is submitted nothing of it changes
but its state: checked by the gate, then looked at by staff, then published. What a check or staff turn down
is mended in a version with the next number.
"""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Cast
from django.urls import reverse

from accounts.models import User
from bot_sdk.configs import RiskConfig
from bot_sdk.parameters import Parameter

MOST_TRIAL_DAYS = 90
SEARCH_LANGUAGE = "english"  # whose word forms the search knows
VERSION_NUMBER = r"\Av(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\Z"


def _subscribers() -> models.Count:
    """Subscriptions belong to an app above this one, which gives bots and versions the name used here."""
    return models.Count(
        "subscriptions__trader", distinct=True, filter=~models.Q(subscriptions__state="STOPPED")
    )


class Category(models.Model):
    name = models.CharField(max_length=60, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.CharField(max_length=200, blank=True)
    listed_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="bots listed in it; kept by triggers alone"
    )

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class BotQuerySet(models.QuerySet["Bot"]):
    def published(self) -> "BotQuerySet":
        """Bots that anyone may see and subscribe to: listed, with a version that may run."""
        return self.filter(IS_OFFERED)

    def by(self, developer: User | AnonymousUser) -> "BotQuerySet":
        """The bots that this person publishes, but for what they have deleted."""
        mine = self.exclude(state=Bot.State.DELETED)
        return mine.filter(developer=developer) if developer.is_authenticated else self.none()

    def had_by(self, person: User | AnonymousUser) -> "BotQuerySet":
        """The bots that this person subscribed to at any time and that still run, offered or not."""
        if not person.is_authenticated:
            return self.none()
        had = Bot.objects.filter(subscriptions__trader=person)
        return self.filter(pk__in=had.order_by().values("pk"), state__in=Bot.RUNNING)

    def ever_published(self) -> "BotQuerySet":
        """What was offered at some time, and was neither suspended nor deleted since."""
        versions = BotVersion.objects.filter(bot=models.OuterRef("pk"), published_at__isnull=False)
        return self.filter(models.Exists(versions), state__in=Bot.RUNNING)

    def visible_to(self, person: User | AnonymousUser) -> "BotQuerySet":
        """The bots whose page this person may read: published ones, their own, and those they had."""
        return self.published() | self.by(person) | self.had_by(person)

    def with_subscribers(self) -> "BotQuerySet":
        """Each with `subscriber_count`: the people who trade with it now."""
        return self.annotate(subscriber_count=_subscribers())


IS_OFFERED = models.Q(state="LISTED", newest_published__isnull=False)


class Bot(models.Model):
    class Type(models.TextChoices):
        TECHNICAL = "TECHNICAL", "Technical analysis"
        ML = "ML", "Machine learning"
        DL = "DL", "Deep learning"
        LLM = "LLM", "Language model"

    class State(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        LISTED = "LISTED", "Listed"
        SUSPENDED = "SUSPENDED", "Suspended by staff"
        RETIRED = "RETIRED", "Retired"
        DELETED = "DELETED", "Deleted by its developer"  # but for what staff have judged

    RUNNING = (State.LISTED, State.RETIRED)

    developer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bots")
    name = models.CharField(max_length=80)
    name_skeleton = models.CharField(
        max_length=160,
        null=True,
        editable=False,
        help_text="alike for names that look alike, as bots.names has it",
    )
    slug = models.SlugField(max_length=80)
    tagline = models.CharField(max_length=140)
    description = models.TextField(help_text="Markdown, without HTML or pictures")
    bot_type = models.CharField(max_length=16, choices=Type, default=Type.TECHNICAL)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="bots")
    price_per_month = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="USD; 0 is free",
    )
    trial_days = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(MOST_TRIAL_DAYS)],
        help_text="before the first month is charged; 0 is none",
    )
    trading_pairs = models.JSONField(
        default=list, blank=True, help_text="what it is made for, such as BTC/USDT; empty: any"
    )
    timeframes = models.JSONField(
        default=list, blank=True, help_text="what it is made for, such as 1h; empty: any"
    )
    promised_trades_per_week = models.DecimalField(
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="that it makes at least; empty: no promise",
    )
    promised_max_drawdown_percent = models.DecimalField(
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="that its equity never falls below its peak by more than; empty: no promise",
    )
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    state_reason = models.CharField(max_length=300, blank=True, help_text="why it is suspended")
    record = models.JSONField(
        null=True,
        editable=False,
        help_text="what lists show of its newest version's record, as the app that measures it has it",
    )
    record_text = models.GeneratedField(
        expression=Cast("record", models.TextField()),
        output_field=models.TextField(null=True),
        db_persist=True,
        help_text="the record as the database writes JSON, which takes it longer than to find the row",
    )
    record_score = models.FloatField(
        null=True, editable=False, help_text="by which the best record comes first; empty: none or too short"
    )
    days_on_paper = models.PositiveIntegerField(
        null=True, editable=False, help_text="of its newest version's record since publication; empty: none"
    )
    worst_drawdown_percent = models.FloatField(
        null=True, editable=False, help_text="the largest that was measured of its newest version"
    )
    exchanges = models.JSONField(
        default=list, editable=False, help_text="where it can trade, as the app that knows markets has it"
    )
    newest_published = models.ForeignKey(
        "BotVersion",
        on_delete=models.DO_NOTHING,
        null=True,
        editable=False,
        related_name="+",
        help_text="kept by triggers alone, whoever writes versions or bots; empty: none is published",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BotQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_per_month__gte=0), name="bot_price_is_not_negative"
            ),
            *(
                models.UniqueConstraint(
                    fields=[field],
                    condition=~models.Q(state="DELETED"),
                    name=f"one_bot_of_a_{field}",
                    violation_error_message=f"Another bot has this {field}. Choose another.",
                )
                for field in ("name", "name_skeleton", "slug")
            ),
        ]
        indexes = [
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="bots_by_name_alike"),
            GinIndex(fields=["tagline"], opclasses=["gin_trgm_ops"], name="bots_by_tagline_alike"),
            models.Index(
                models.F("record_score").desc(nulls_last=True),
                "name",
                condition=IS_OFFERED,
                name="bots_by_record",
            ),
            models.Index(fields=["category", "id"], condition=IS_OFFERED, name="listed_bots_by_category"),
            GinIndex(SearchVector("description", config=SEARCH_LANGUAGE), name="bots_by_description"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("bots:bot", args=[self.slug])

    @property
    def developers_url(self) -> str:
        """The page on which its developer looks after it."""
        return reverse("bots:own_bot", args=[self.slug])

    @property
    def current_version(self) -> "BotVersion | None":
        """The newest version that may run; new subscriptions get it."""
        return self.versions.published().order_by("-created_at", "-pk").first()

    @property
    def newest_shown(self) -> "BotVersion | None":
        """The version that new subscriptions get, or else the newest that was ever offered."""
        newest = self.versions.ever_published().order_by("-created_at", "-pk")
        return self.current_version or newest.first()


class BotVersionQuerySet(models.QuerySet["BotVersion"]):
    def published(self) -> "BotVersionQuerySet":
        return self.filter(state=BotVersion.State.PUBLISHED)

    def ever_published(self) -> "BotVersionQuerySet":
        """What was offered at some time, whatever became of it."""
        return self.filter(published_at__isnull=False)

    def offered(self) -> "BotVersionQuerySet":
        """What new subscribers may choose: published, and of a bot that is listed."""
        return self.published().filter(bot__state=Bot.State.LISTED)

    def quarantined(self) -> "BotVersionQuerySet":
        return self.filter(state=BotVersion.State.QUARANTINED)

    def by(self, developer: User | AnonymousUser) -> "BotVersionQuerySet":
        """The versions of the bots that this person publishes."""
        return self.filter(bot__in=Bot.objects.by(developer))

    def never_offered(self) -> "BotVersionQuerySet":
        """What only its developer and staff have ever had."""
        return self.filter(state__in=BotVersion.NEVER_OFFERED)

    def with_subscribers(self) -> "BotVersionQuerySet":
        """Each with `subscriber_count`: the people who trade with it now."""
        return self.annotate(subscriber_count=_subscribers())

    def to_review(self) -> "BotVersionQuerySet":
        """What staff have to look at, the longest waiting first."""
        return self.filter(state=BotVersion.State.IN_REVIEW).order_by("submitted_at", "pk")


class BotVersion(models.Model):
    """One upload. From when it is submitted its files never change; what changes is whether it may run."""

    class State(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        CHECKING = "CHECKING", "Being checked"
        FAILED = "FAILED", "Failed its checks"
        IN_REVIEW = "IN_REVIEW", "Waiting for review"
        CHANGES_REQUESTED = "CHANGES_REQUESTED", "Changes requested"
        REJECTED = "REJECTED", "Rejected"
        WITHDRAWN = "WITHDRAWN", "Withdrawn by its developer"
        PUBLISHED = "PUBLISHED", "Published"
        RETIRED = "RETIRED", "No longer offered"
        QUARANTINED = "QUARANTINED", "In quarantine"
        PULLED = "PULLED", "Pulled by staff"

    RUNNING = (State.PUBLISHED, State.RETIRED)
    NEVER_OFFERED = (
        State.DRAFT,
        State.CHECKING,
        State.FAILED,
        State.IN_REVIEW,
        State.CHANGES_REQUESTED,
        State.REJECTED,
        State.WITHDRAWN,
    )

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="versions")
    number = models.CharField(
        max_length=32,
        validators=[RegexValidator(VERSION_NUMBER, "Write a version as v1.0.0.")],
    )
    state = models.CharField(max_length=20, choices=State, default=State.DRAFT)
    is_stateless = models.BooleanField(
        default=False,
        help_text="found deterministic, keeping nothing: may answer for several settings at a time",
    )
    state_reason = models.CharField(max_length=300, blank=True, help_text="why it is stopped")
    state_before = models.CharField(
        max_length=20, choices=State, default=State.PUBLISHED, help_text="to which quarantine ends"
    )
    released_at = models.DateTimeField(null=True, blank=True, help_text="from quarantine, the last time")
    release_notes = models.TextField(blank=True)
    parameters = models.JSONField(
        default=list, blank=True, help_text="list of bot_sdk.Parameter as dictionaries"
    )
    risk_defaults = models.JSONField(
        default=dict,
        blank=True,
        help_text="risk limits that the developer proposes, as in RiskConfig; empty: none are proposed",
    )
    warm_up = models.PositiveIntegerField(
        default=50, help_text="candles the bot needs before its first decision"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text="withdrawn, no longer offered, or in quarantine, the last time"
    )
    files_removed_at = models.DateTimeField(
        null=True, blank=True, help_text="as bots.clearing does with what was never offered"
    )

    objects = BotVersionQuerySet.as_manager()

    class Meta:
        ordering = ["bot", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["bot", "number"], name="one_version_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.bot.name} {self.number}"

    @property
    def developers_url(self) -> str:
        """The page on which its developer looks after it."""
        return reverse("bots:version", args=[self.bot.slug, self.number])

    @property
    def precedence(self) -> tuple[int, ...]:
        """The number's three parts, which order versions."""
        return tuple(int(part) for part in self.number.removeprefix("v").split("."))

    @property
    def may_run(self) -> bool:
        """Whether those who have it may run it; new subscribers get published ones only."""
        return self.state in self.RUNNING

    @property
    def declared_parameters(self) -> list[Parameter]:
        return [Parameter.from_dict(raw) for raw in self.parameters]

    @property
    def proposed_risk(self) -> RiskConfig:
        return RiskConfig.parse(self.risk_defaults)


class VersionToReview(BotVersion):
    """A submitted version as staff look at it."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        ordering = ["submitted_at", "pk"]
        verbose_name = "version to review"
        verbose_name_plural = "versions to review"


class Artifact(models.Model):
    """One file of a version in object storage, pinned by its hash."""

    class Kind(models.TextChoices):
        CODE = "CODE", "Code"
        MODEL = "MODEL", "Model"
        WEIGHTS = "WEIGHTS", "Weights"
        CONFIG = "CONFIG", "Configuration"

    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=16, choices=Kind)
    framework = models.CharField(max_length=40, blank=True, help_text="that wrote it, as its developer says")
    filename = models.CharField(max_length=200)
    key = models.CharField(max_length=400, unique=True, help_text="object storage key")
    object_version = models.CharField(
        max_length=200, blank=True, help_text="the bucket's version id; empty where there are none"
    )
    sha256 = models.CharField(max_length=64, help_text="of the content, checked before each run")
    size = models.PositiveBigIntegerField(help_text="bytes")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["version", "kind", "filename"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(kind="CODE"), name="one_code_file_per_version"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class GateRun(models.Model):
    """The automatic checks of one submitted version, which a worker does one after the other."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        PASSED = "PASSED", "Passed"
        FAILED = "FAILED", "Failed"
        CANCELED = "CANCELED", "Canceled"

    version = models.OneToOneField(BotVersion, on_delete=models.CASCADE, related_name="gate")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    claim = models.UUIDField(null=True, blank=True, help_text="names the one worker that may write it")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="when its worker last gave a sign")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="workers that began it")
    message = models.TextField(blank=True, help_text="why it waits or ended, for the developer")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"checks of {self.version}"


class GateStep(models.Model):
    """What one of the checks has found."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        PASSED = "PASSED", "Passed"
        ADVICE = "ADVICE", "Passed, with advice"
        FAILED = "FAILED", "Failed"
        SKIPPED = "SKIPPED", "Not done"

    gate = models.ForeignKey(GateRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40, help_text="names the check for good")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    sentence = models.TextField(blank=True, help_text="what was found, in plain words")
    evidence = models.JSONField(
        default=list,
        blank=True,
        help_text="list of {line, code, opened_at, expected, came, message}, each key where it is known",
    )
    seconds = models.FloatField(null=True, blank=True, help_text="that it took")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["gate", "position"]
        constraints = [
            models.UniqueConstraint(fields=["gate", "code"], name="one_step_per_check"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.get_state_display()}"


class Review(models.Model):
    """What a member of staff decided about a version, and why; never changed afterwards."""

    class Decision(models.TextChoices):
        APPROVED = "APPROVED", "Approved"
        REJECTED = "REJECTED", "Rejected"
        CHANGES_REQUESTED = "CHANGES_REQUESTED", "Changes requested"
        PULLED = "PULLED", "Pulled"

    class Reason(models.TextChoices):
        """Why a version was not approved, as its developer reads it."""

        UNCLEAR = "UNCLEAR", "The description does not say what the bot does"
        MISLEADING = "MISLEADING", "The description promises what the bot does not do"
        COPIED = "COPIED", "It is a copy of another bot"
        HARMFUL = "HARMFUL", "Its code tries to do something that bots may not do"
        BROKEN = "BROKEN", "It does not work as described"
        OTHER = "OTHER", "Another reason, in the note"

    version = models.ForeignKey(BotVersion, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=20, choices=Decision)
    reasons = models.JSONField(default=list, blank=True, help_text="list of Reason")
    note = models.TextField(blank=True, help_text="for the developer")
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-decided_at"]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_decision_display()}"


class DeveloperBan(models.Model):
    """A developer who may publish nothing more."""

    developer = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="publishing_ban"
    )
    reason = models.CharField(max_length=300, help_text="the developer and the traders read it")
    banned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    banned_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-banned_at"]

    def __str__(self) -> str:
        return f"ban of {self.developer}"
