"""How a message leaves by each kind of channel. For workers: it loads the library of services.

The library knows how Telegram and Discord want their messages: markup, lengths, splitting. It sends by our
guarded `post`, which is all that its modules get of requests; so what it adds to a URL is held to the same
rules as what people give us.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import requests
from apprise import AppriseAsset, NotifyFormat, OverflowMode
from apprise.plugins import NotifyBase, discord, telegram
from django.core.mail import send_mail

from accounts import outgoing
from accounts.errors import DeliveryFailed
from accounts.models import NotificationChannel

Kind = NotificationChannel.Kind

_GUARDED = SimpleNamespace(
    post=outgoing.post, codes=requests.codes, RequestException=requests.RequestException
)
discord.requests = telegram.requests = _GUARDED
_ASSET = AppriseAsset(app_id="Bot Marketplace", http_redirects=False)
_MARKDOWN = re.compile(r"([\\*_~`|>\[\]()#<-])")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a person is told; `link` is a whole URL, `at` in ISO 8601 and UTC."""

    event: str
    subject: str
    text: str
    link: str
    at: str


@dataclass(frozen=True, slots=True)
class Message:
    """What goes through a channel at once: one thing or many, told by their subject and text together."""

    told: tuple[Told, ...]

    @property
    def subject(self) -> str:
        if len(self.told) == 1:
            return self.told[0].subject
        return f"{len(self.told)} notifications, the first: {self.told[0].subject}"

    def text(self, escape: Callable[[str], str] = str) -> str:
        """Return the body; what others wrote goes through `escape`, links do not."""
        is_alone = len(self.told) == 1
        parts = []
        for each in self.told:
            head = "" if is_alone else f"{escape(each.subject)}\n"
            parts.append(f"{head}{escape(each.text.strip())}\n{each.link}")
        return "\n\n".join(parts)


def send(*, kind: str, address: Mapping[str, str], message: Message) -> None:
    """Send a message; `address` is what `channels.opened` returns. Raises DeliveryFailed."""
    _SENDERS[Kind(kind)](address, message)


def _by_email(address: Mapping[str, str], message: Message) -> None:
    try:
        send_mail(message.subject, message.text(), None, [address["email"]])
    except OSError as error:  # of SMTP, too
        raise DeliveryFailed("The mail server did not take it.") from error


def _by_telegram(address: Mapping[str, str], message: Message) -> None:
    plugin = telegram.NotifyTelegram(
        bot_token=address["bot_token"],
        targets=[address["chat_id"]],
        detect_owner=False,
        asset=_ASSET,
        overflow=OverflowMode.SPLIT,
    )
    _notify(plugin, title=message.subject, body=message.text())


def _by_discord(address: Mapping[str, str], message: Message) -> None:
    plugin = discord.NotifyDiscord(
        webhook_id=address["webhook_id"],
        webhook_token=address["webhook_token"],
        avatar=False,
        asset=_ASSET,
        overflow=OverflowMode.SPLIT,
    )
    _notify(plugin, title=_in_discord(message.subject), body=message.text(escape=_in_discord))


def _by_webhook(address: Mapping[str, str], message: Message) -> None:
    fields = ("event", "subject", "text", "link", "at")
    told = [{name: getattr(each, name) for name in fields} for each in message.told]
    outgoing.post(address["url"], json={"notifications": told}, headers={"User-Agent": "Bot Marketplace"})


def _notify(plugin: NotifyBase, *, title: str, body: str) -> None:
    if not plugin.notify(title=title, body=body, body_format=NotifyFormat.TEXT):
        raise DeliveryFailed("The message could not be written as the service wants it.")


def _in_discord(text: str) -> str:
    """Return text that Discord shows to the letter: no link under other words, and nobody is called by it."""
    return _MARKDOWN.sub(r"\\\1", text).replace("@", "@\u200b")


_SENDERS: dict[Kind, Callable[[Mapping[str, Any], Message], None]] = {
    Kind.EMAIL: _by_email,
    Kind.TELEGRAM: _by_telegram,
    Kind.DISCORD: _by_discord,
    Kind.WEBHOOK: _by_webhook,
}
