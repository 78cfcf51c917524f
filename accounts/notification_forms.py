"""Forms of notifications. What was typed as an address is never sent back to the browser."""

from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import NotificationChannel, NotificationTimes

Kind = NotificationChannel.Kind

SECRET = forms.PasswordInput(attrs={"autocomplete": "off"})
KEPT = "It is stored encrypted, and no page shows it again."


class TelegramForm(forms.Form):
    bot_token = forms.CharField(
        label="Bot token", max_length=80, widget=SECRET, help_text=f"BotFather gives it to you. {KEPT}"
    )
    chat_id = forms.CharField(
        label="Chat",
        max_length=40,
        help_text="The chat's number, such as 123456789, or @ and a channel's name.",
    )


class DiscordForm(forms.Form):
    url = forms.CharField(
        label="Webhook URL",
        max_length=300,
        widget=SECRET,
        help_text=f"https://discord.com/api/webhooks/…, from the channel's settings, Integrations. {KEPT}",
    )


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="URL",
        max_length=2000,
        widget=SECRET,
        help_text=f"https:// and a public host's name. It gets JSON by POST. {KEPT}",
    )


FORMS: dict[Kind, type[forms.Form]] = {
    Kind.TELEGRAM: TelegramForm,
    Kind.DISCORD: DiscordForm,
    Kind.WEBHOOK: WebhookForm,
}
STEPS = {
    Kind.TELEGRAM: [
        "Write /newbot to @BotFather in Telegram; it answers with a token.",
        "Write anything to your new bot, so that it may write to you.",
        "Ask @userinfobot for your number, or add the bot to a group and use the group's.",
    ],
    Kind.DISCORD: [
        "Open the settings of a channel on a server that is yours.",
        "Under Integrations choose Webhooks, then New Webhook.",
        "Copy the webhook's URL.",
    ],
    Kind.WEBHOOK: [
        "Have something listen at an https address that is reachable from the internet, at port 443.",
        "It answers with a status from 200 to 299; a redirect counts as a failure.",
    ],
}


def _zones() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones()) if _is_shown(name)]


def _is_shown(name: str) -> bool:
    return name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/", "US/")))


class TimesForm(forms.ModelForm):
    time_zone = forms.ChoiceField(choices=_zones, label="Your time zone")

    class Meta:
        model = NotificationTimes
        fields = ["quiet_from", "quiet_until", "time_zone", "digest"]
        labels = {"quiet_from": "Quiet from", "quiet_until": "Quiet until", "digest": "Other notifications"}
        help_texts = {
            "quiet_until": "In these hours nothing is sent; it goes when they end. Empty: at any hour.",
            "digest": "Stops, halts and problems with keys never wait for it.",
        }
        widgets = {
            name: forms.TimeInput(format="%H:%M", attrs={"type": "time"})
            for name in ("quiet_from", "quiet_until")
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        begins, ends = data.get("quiet_from"), data.get("quiet_until")
        if (begins is None) != (ends is None):
            self.add_error("quiet_until", "Enter both times, or leave both empty.")
        elif begins is not None and begins == ends:
            self.add_error("quiet_until", "Quiet hours have to end at another time than they begin.")
        return data
