import allauth.mfa.admin  # noqa: F401  # registers what is registered anew here
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.admin_records import RecordAdmin
from accounts.models import (
    AnsweredRequest,
    AuditEntry,
    Notification,
    NotificationChannel,
    NotificationDelivery,
    NotificationTimes,
    TokenFamily,
    User,
)
from accounts.people import confirm_address


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_active", "is_staff", "groups", "date_joined"]
    date_hierarchy = "date_joined"
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "email", "usable_password", "password1", "password2"],
            },
        )
    ]

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            confirm_address(obj)


@admin.register(AuditEntry)
class AuditEntryAdmin(RecordAdmin):
    list_display = ["number", "at", "actor_name", "action", "about", "details"]
    list_filter = ["action", "object_type", "actor_name"]
    search_fields = ["actor_name", "action", "object_name", "=object_id"]
    date_hierarchy = "at"
    fields = [
        "number",
        ("at", "actor_name"),
        "action",
        ("object_type", "object_id", "object_name"),
        "details",
        ("key_id", "previous", "seal"),
    ]

    @admin.display(description="about", ordering="object_name")
    def about(self, entry: AuditEntry) -> str:
        return f"{entry.object_type.partition('.')[2]} {entry.object_name}"


admin.site.unregister(Authenticator)


@admin.register(Authenticator)
class AuthenticatorAdmin(RecordAdmin):
    """Who has a second factor. Who lost it sets up another one when staff have deleted it here."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type", "created_at"]
    search_fields = ["user__username"]
    list_select_related = ["user"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("mfa.delete_authenticator"))


@admin.register(TokenFamily)
class TokenFamilyAdmin(RecordAdmin):
    """Programs that are signed in; to delete one ends its tokens at once."""

    list_display = ["user", "is_read_only", "created_at"]
    list_filter = ["is_read_only", "created_at"]
    search_fields = ["user__username"]
    list_select_related = ["user"]
    fields = ["user", "is_read_only", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("accounts.delete_tokenfamily"))


@admin.register(AnsweredRequest)
class AnsweredRequestAdmin(RecordAdmin):
    list_display = ["user", "key", "status", "created_at"]
    list_filter = ["status", "created_at"]
    search_fields = ["user__username"]
    list_select_related = ["user"]
    fields = ["user", "key", "status", "created_at"]


@admin.register(NotificationChannel)
class NotificationChannelAdmin(RecordAdmin):
    """How people are told, and what keeps it from arriving; never to which address."""

    list_display = ["owner", "kind", "hint", "delivered_at", "failures", "problem", "retry_at"]
    list_filter = ["kind", "failures"]
    search_fields = ["owner__username"]
    list_select_related = ["owner"]
    fields = [
        ("owner", "kind", "hint"),
        "events",
        "delivered_at",
        ("failures", "problem", "retry_at"),
        "busy_until",
        "created_at",
    ]


@admin.register(NotificationTimes)
class NotificationTimesAdmin(RecordAdmin):
    list_display = ["person", "time_zone", "quiet_from", "quiet_until", "digest"]
    list_filter = ["digest"]
    search_fields = ["person__username"]
    list_select_related = ["person"]


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    """That somebody is told, and since when; what the message says is its reader's."""

    list_display = ["person", "event", "key", "created_at", "spread_at"]
    list_filter = ["event", "created_at"]
    search_fields = ["person__username"]
    list_select_related = ["person"]
    fields = ["person", "event", "key", "created_at", "spread_at"]


@admin.register(NotificationDelivery)
class NotificationDeliveryAdmin(RecordAdmin):
    list_display = ["person", "event", "by", "state", "due_at"]
    list_filter = ["state", "due_at"]
    search_fields = ["notification__person__username"]
    list_select_related = ["notification__person", "channel"]
    fields = ["person", "event", "by", "state", "due_at"]
    readonly_fields = ["person", "event", "by"]

    @admin.display(ordering="notification__person")
    def person(self, delivery: NotificationDelivery) -> User:
        return delivery.notification.person

    @admin.display(ordering="notification__event")
    def event(self, delivery: NotificationDelivery) -> str:
        return delivery.notification.get_event_display() or "Test"

    @admin.display(ordering="channel__kind")
    def by(self, delivery: NotificationDelivery) -> str:
        return delivery.channel.get_kind_display()
