"""The product: a bot, its immutable versions and the files each version consists of."""

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse

from bot_sdk.configs import RiskConfig
from bot_sdk.parameters import Parameter


class Category(models.Model):
    name = models.CharField(max_length=60, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class BotQuerySet(models.QuerySet["Bot"]):
    def published(self) -> "BotQuerySet":
        """Bots that anyone may see and subscribe to: listed, with a version that may run."""
        runnable = BotVersion.objects.filter(bot=models.OuterRef("pk"), state=BotVersion.State.PUBLISHED)
        return self.filter(models.Exists(runnable), state=Bot.State.LISTED)


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

    developer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bots")
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    tagline = models.CharField(max_length=140)
    description = models.TextField(help_text="plain text; a blank line starts a new paragraph")
    bot_type = models.CharField(max_length=16, choices=Type, default=Type.TECHNICAL)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="bots")
    price_per_month = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="USD; 0 is free",
    )
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BotQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_per_month__gte=0), name="bot_price_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("bots:bot", args=[self.slug])

    @property
    def current_version(self) -> "BotVersion | None":
        """The newest version that may run; new subscriptions get it."""
        return self.versions.published().order_by("-created_at", "-pk").first()


class BotVersionQuerySet(models.QuerySet["BotVersion"]):
    def published(self) -> "BotVersionQuerySet":
        return self.filter(state=BotVersion.State.PUBLISHED)

    def quarantined(self) -> "BotVersionQuerySet":
        return self.filter(state=BotVersion.State.QUARANTINED)


class BotVersion(models.Model):
    """One upload. Its files never change; what changes is whether it may run."""

    class State(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        PUBLISHED = "PUBLISHED", "Published"
        QUARANTINED = "QUARANTINED", "In quarantine"
        PULLED = "PULLED", "Pulled by staff"

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="versions")
    number = models.CharField(
        max_length=32,
        validators=[RegexValidator(r"\Av[0-9]+\.[0-9]+\.[0-9]+\Z", "Write a version as v1.0.0.")],
    )
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    is_stateless = models.BooleanField(
        default=False,
        help_text="found deterministic, keeping nothing: may answer for several settings at a time",
    )
    state_reason = models.CharField(max_length=300, blank=True, help_text="why it is in quarantine")
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

    objects = BotVersionQuerySet.as_manager()

    class Meta:
        ordering = ["bot", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["bot", "number"], name="one_version_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.bot.name} {self.number}"

    @property
    def declared_parameters(self) -> list[Parameter]:
        return [Parameter.from_dict(raw) for raw in self.parameters]

    @property
    def proposed_risk(self) -> RiskConfig:
        return RiskConfig.parse(self.risk_defaults)


class Artifact(models.Model):
    """One file of a version in object storage, pinned by its hash."""

    class Kind(models.TextChoices):
        CODE = "CODE", "Code"
        MODEL = "MODEL", "Model"
        WEIGHTS = "WEIGHTS", "Weights"
        CONFIG = "CONFIG", "Configuration"

    version = models.ForeignKey(BotVersion, on_delete=models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=16, choices=Kind)
    filename = models.CharField(max_length=200)
    key = models.CharField(max_length=400, unique=True, help_text="object storage key")
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
