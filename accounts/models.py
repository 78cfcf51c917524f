"""People. Roles come from what someone does (publishing, subscribing) and, for staff, from groups."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, AnonymousUser, UserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone


class PersonManager(UserManager["User"]):
    def create_superuser(  # type: ignore[override]
        self, username: str, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """Create one whose address needs no confirmation, as `manage.py createsuperuser` does."""
        from accounts.people import confirm_address  # noqa: PLC0415

        with transaction.atomic():
            person = super().create_superuser(username, email, password, **fields)
            confirm_address(person)
        return person


class User(AbstractUser):
    email = models.EmailField("email address")

    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="one_account_per_email"),
            models.UniqueConstraint(Lower("username"), name="one_account_per_username"),
        ]

    def __str__(self) -> str:
        return self.username


class AuditEntry(models.Model):
    """One line of the audit log. The database refuses to change or delete it; see `accounts.audit`."""

    number = models.PositiveBigIntegerField(primary_key=True)  # from 1, without gaps
    at = models.DateTimeField()
    actor = models.ForeignKey(
        User, models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )  # stays when the person is deleted
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=100)  # a model's label, such as "bots.botversion"
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    key_id = models.CharField(max_length=16)  # which of AUDIT_KEYS sealed it
    previous = models.CharField(max_length=64)
    seal = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        default_permissions = ["view"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_of_object")]

    def __str__(self) -> str:
        return f"{self.number}: {self.action} {self.object_name}"


class AuditHead(models.Model):
    """How many audit entries there are and which is the last; the one row may only ever count on."""

    count = models.PositiveBigIntegerField()
    last = models.CharField(max_length=64)  # the last entry's seal
    key_id = models.CharField(max_length=16)
    seal = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_audit_head")]


class TokenFamily(models.Model):
    """A program's sign-in to the API. The tokens that came of it are worth nothing without this row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    newest = models.CharField(max_length=32, help_text="id of the refresh token that is not used yet")
    password_mark = models.CharField(max_length=64, help_text="changes with the person's password")
    is_read_only = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, help_text="when the password was given")

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_alive(self) -> bool:
        """Whether its person may still act, with the password that began it. Select the `user` beforehand."""
        return self.user.is_active and self.password_mark == self.user.get_session_auth_hash()


class AnsweredRequest(models.Model):
    """What a program was answered, by the key under which it may send the same request again."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="answered_requests")
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64, help_text="sha256 of method, address and body")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(help_text="JSON, to the letter")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.key}"


class Event(models.TextChoices):
    """What people may be told about; each channel says of which."""

    FILL = "FILL", "An order is filled"
    STOP = "STOP", "A stop has sold"
    HALTED = "HALTED", "Trading is paused or halted"
    KEY_PROBLEM = "KEY_PROBLEM", "An exchange key is no longer good"
    VERSION = "VERSION", "A newer version, or a bot that is stopped"
    REVIEW = "REVIEW", "A version of yours is judged, or a review is written"


URGENT = (Event.STOP, Event.HALTED, Event.KEY_PROBLEM)  # these wait for no digest


def usual_events() -> list[str]:
    """Return what a new channel is for: all but fills, of which there may be many."""
    return [event for event in Event.values if event != Event.FILL]


class NotificationChannelQuerySet(models.QuerySet["NotificationChannel"]):
    def of(self, user: User | AnonymousUser) -> "NotificationChannelQuerySet":
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def with_waiting(self) -> "NotificationChannelQuerySet":
        """Add `waiting`, how many notifications have not gone yet, and `is_tested`: one is a test."""
        waiting = models.Q(deliveries__state="WAITING")
        is_test = waiting & models.Q(deliveries__notification__event="")
        return (
            self.select_related("owner")
            .order_by("pk")
            .annotate(
                waiting=models.Count("deliveries", filter=waiting),
                is_tested=models.Count("deliveries", filter=is_test),
            )
        )


class NotificationChannel(models.Model):
    """A way to a person, and which events take it. After failures it is tried again at `retry_at`."""

    class Kind(models.TextChoices):
        EMAIL = "EMAIL", "Email"
        TELEGRAM = "TELEGRAM", "Telegram"
        DISCORD = "DISCORD", "Discord"
        WEBHOOK = "WEBHOOK", "Webhook"

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notification_channels")
    kind = models.CharField(max_length=16, choices=Kind)
    sealed = models.TextField(blank=True, help_text="its address, sealed; empty: the owner's email address")
    hint = models.CharField(max_length=200, blank=True, help_text="of the address, without what is secret")
    events = models.JSONField(default=usual_events, blank=True, help_text="names of Event")
    delivered_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0, help_text="in a row")
    problem = models.CharField(max_length=200, blank=True, help_text="why the last try failed")
    retry_at = models.DateTimeField(null=True, blank=True)
    busy_until = models.DateTimeField(null=True, blank=True, help_text="a worker is at it until then")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NotificationChannelQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=models.Q(kind="EMAIL"), name="one_email_channel_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.hint}".strip()


class NotificationTimes(models.Model):
    """When a person wants to be told, by the clock of their own time zone."""

    class Digest(models.TextChoices):
        NONE = "NONE", "At once"
        HOURLY = "HOURLY", "Once an hour"
        DAILY = "DAILY", "Once a day, at 8:00"

    person = models.OneToOneField(User, on_delete=models.CASCADE, related_name="notification_times")
    time_zone = models.CharField(max_length=64, default="UTC")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest = models.CharField(max_length=16, choices=Digest, default=Digest.NONE)

    class Meta:
        verbose_name_plural = "notification times"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False)
                & ~models.Q(quiet_from=models.F("quiet_until")),
                name="quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_digest_display()}"


class Notification(models.Model):
    """What a person is to be told. It is spread over their channels after the transaction that wrote it."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    event = models.CharField(max_length=16, choices=Event, blank=True, help_text="empty: a test")
    subject = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=300, help_text="a path on this site")
    key = models.CharField(max_length=100, help_text="names what happened: told once")
    created_at = models.DateTimeField(default=timezone.now)
    spread_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(spread_at=None), name="notifications_to_spread"),
            models.Index(fields=["created_at"], name="notifications_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["person", "key"], name="told_once"),
        ]

    def __str__(self) -> str:
        return self.subject


class NotificationDelivery(models.Model):
    """One notification on its way through one channel."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        SENT = "SENT", "Sent"
        DROPPED = "DROPPED", "Given up"

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(NotificationChannel, on_delete=models.CASCADE, related_name="deliveries")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "notification deliveries"
        indexes = [
            models.Index(
                fields=["channel", "due_at"],
                condition=models.Q(state="WAITING"),
                name="notifications_to_deliver",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["notification", "channel"], name="delivered_once_per_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.notification} by {self.channel}"
