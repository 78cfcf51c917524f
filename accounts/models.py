"""People. Roles come from what someone does (publishing, subscribing) and, for staff, from groups."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
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
