"""A person's channels for notifications: added, tried and removed. What opens them is sealed."""

import json
import re
from collections.abc import Mapping, Sequence

from celery import current_app
from cryptography.fernet import InvalidToken
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import outgoing
from accounts.errors import AddressRefused
from accounts.models import Event, Notification, NotificationChannel, NotificationDelivery, User
from accounts.sealing import ring
from accounts.second_factor import SecretLost

Kind = NotificationChannel.Kind

DELIVER_TASK = "accounts.tasks.deliver_notifications"
PURPOSE = "accounts.channels"
MOST_CHANNELS = 10  # of one person
_BOT_TOKEN = re.compile(r"(?P<bot>[0-9]{5,12}):[A-Za-z0-9_-]{30,50}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_DISCORD = re.compile(
    r"https://(?:discord|discordapp)\.com/api/webhooks/(?P<id>[0-9]{15,22})/(?P<token>[A-Za-z0-9_-]{40,100})"
)


def add_channel(*, owner: User, kind: str, given: Mapping[str, str]) -> NotificationChannel:
    """Add a channel at the address that was `given`: `url`, or `bot_token` and `chat_id` for Telegram.

    Raises ValidationError by field name.
    """
    address, hint = _READERS[Kind(kind)](given)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(
            pk=owner.pk
        )  # so that two at once cannot pass the limit
        if NotificationChannel.objects.filter(owner=owner).count() >= MOST_CHANNELS:
            raise ValidationError(f"You have {MOST_CHANNELS} channels, which is the most. Remove one first.")
        return NotificationChannel.objects.create(
            owner=owner, kind=kind, sealed=_sealed(owner.pk, address), hint=hint
        )


def email_channel(owner: User) -> NotificationChannel:
    """Return the channel to the person's own address; the first call opens it."""
    channel, _ = NotificationChannel.objects.get_or_create(owner=owner, kind=Kind.EMAIL)
    return channel


def set_events(*, owner: User, events: Mapping[int, Sequence[str]]) -> None:
    """Let each of these channels of a person, by id, be taken by its events and no others."""
    with transaction.atomic():
        for channel in NotificationChannel.objects.select_for_update().filter(owner=owner, pk__in=events):
            wanted = events[channel.pk]
            channel.events = [event for event in Event.values if event in wanted]
            channel.save(update_fields=["events"])


def try_out(*, channel: NotificationChannel) -> None:
    """Send a test by the channel now, whatever the hour. What came of it is on the channel's row."""
    now = timezone.now()
    with transaction.atomic():
        NotificationChannel.objects.filter(pk=channel.pk).update(retry_at=None)
        notification = Notification.objects.create(
            person_id=channel.owner_id,
            subject="A test of your notifications",
            text="You asked for this message. Notifications arrive here.",
            link=reverse("accounts:notifications"),
            key=f"test:{channel.pk}:{now.isoformat()}",
            spread_at=now,
        )
        NotificationDelivery.objects.create(notification=notification, channel=channel, due_at=now)
        transaction.on_commit(lambda: current_app.send_task(DELIVER_TASK, ignore_result=True))


def opened(channel: NotificationChannel) -> dict[str, str]:
    """Return where the channel leads. Select its `owner` beforehand. Raises SecretLost."""
    if channel.kind == Kind.EMAIL:
        return {"email": channel.owner.email}
    try:
        content: dict[str, str] = json.loads(ring(PURPOSE).decrypt(channel.sealed))
    except InvalidToken as error:
        raise SecretLost(
            f"Notification channel {channel.pk} does not open. Either VAULT_KEYS lacks the key that sealed "
            "it: add that. Or its row was changed: its owner removes it and adds it again."
        ) from error
    if content.pop("owner") != str(channel.owner_id):
        raise SecretLost(f"Notification channel {channel.pk} was sealed for somebody else: remove it.")
    return content


def reseal_all() -> int:
    """Bring all addresses under the first of VAULT_KEYS; return how many channels. Raises SecretLost."""
    pks = list(NotificationChannel.objects.exclude(kind=Kind.EMAIL).values_list("pk", flat=True))
    for pk in pks:
        with transaction.atomic():
            for row in NotificationChannel.objects.select_for_update().filter(pk=pk):
                row.sealed = _sealed(row.owner_id, opened(row))
                row.save(update_fields=["sealed"])
    return len(pks)


def _sealed(owner_id: int, address: Mapping[str, str]) -> str:
    """Seal an address together with whose it is, so that it opens in nobody else's row."""
    return ring(PURPOSE).encrypt(json.dumps({**address, "owner": str(owner_id)}).encode()).decode()


def _telegram(given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    token, chat = _BOT_TOKEN.fullmatch(given["bot_token"]), _CHAT.fullmatch(given["chat_id"])
    if token is None:
        raise ValidationError({"bot_token": "Expected a token as BotFather gives it, such as 123456789:AA…"})
    if chat is None:
        raise ValidationError({"chat_id": "Expected a chat's number, or @ and a channel's name."})
    return {"bot_token": token[0], "chat_id": chat[0]}, f"bot {token['bot']} to chat {chat[0]}"


def _discord(given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    match = _DISCORD.fullmatch(given["url"])
    if match is None:
        raise ValidationError({"url": "Expected https://discord.com/api/webhooks/… as Discord gives it."})
    return {"webhook_id": match["id"], "webhook_token": match["token"]}, f"webhook {match['id']}"


def _webhook(given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    try:
        host = outgoing.host_of(given["url"])
    except AddressRefused as error:
        raise ValidationError({"url": str(error)}) from error
    return {"url": given["url"]}, f"https://{host}/…"


_READERS = {Kind.TELEGRAM: _telegram, Kind.DISCORD: _discord, Kind.WEBHOOK: _webhook}
