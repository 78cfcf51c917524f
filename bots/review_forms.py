"""What staff fill in about a version, its bot and its developer."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from accounts.models import User
from bots import moderation
from bots.models import Bot, BotVersion, DeveloperBan, Review

LONGEST_NOTE = 2_000


class ApproveForm(forms.Form):
    name = "approve"
    title = "Approve"
    says = "It is published: new subscribers get it, and those who have an earlier version may move to it."

    note = forms.CharField(
        label="Note",
        max_length=LONGEST_NOTE,
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Its developer reads it.",
    )

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.approve(version=version, reviewer=staff, **self.cleaned_data)


class _ReasonsForm(forms.Form):
    reasons = forms.MultipleChoiceField(
        label="Why", choices=Review.Reason, widget=forms.CheckboxSelectMultiple, required=False
    )
    note = forms.CharField(
        label="Note",
        max_length=LONGEST_NOTE,
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Its developer reads it: say what to mend, and where.",
    )


class RequestChangesForm(_ReasonsForm):
    name = "request_changes"
    title = "Request changes"
    says = "It is not published. The developer mends what you name in a version with the next number."

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.request_changes(version=version, reviewer=staff, **self.cleaned_data)


class RejectForm(_ReasonsForm):
    name = "reject"
    title = "Reject"
    says = "It is never published."

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.reject(version=version, reviewer=staff, **self.cleaned_data)


class PullForm(_ReasonsForm):
    name = "pull"
    title = "Pull this version"
    says = (
        "It is run no more, for anybody. What its subscribers hold stays theirs, their stops still act, and "
        "they are told."
    )

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.pull(version=version, reviewer=staff, **self.cleaned_data)


class _ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason", max_length=300, strip=True, help_text="The developer and the traders read it."
    )


class SuspendForm(_ReasonForm):
    name = "suspend"
    title = "Suspend the bot"
    says = "It leaves the catalogue and none of its versions is run until the suspension is lifted."

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.suspend(bot=version.bot, by=staff, **self.cleaned_data)


class LiftSuspensionForm(forms.Form):
    name = "lift_suspension"
    title = "Lift the suspension"
    says = "The bot is listed again, and its versions run."

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.lift_suspension(bot=version.bot, by=staff)


class BanForm(_ReasonForm):
    name = "ban"
    title = "Ban the developer"
    says = "All of their bots are suspended, and they publish nothing more until the ban is lifted."

    def decide(self, version: BotVersion, staff: User) -> object:
        return moderation.ban(developer=version.bot.developer, by=staff, **self.cleaned_data)


class LiftBanForm(forms.Form):
    name = "lift_ban"
    title = "Lift the ban"
    says = "The developer may publish again. Bots that were suspended stay so."

    def decide(self, version: BotVersion, staff: User) -> None:
        moderation.lift_ban(developer=version.bot.developer, by=staff)


DecisionForm = (
    ApproveForm
    | RequestChangesForm
    | RejectForm
    | PullForm
    | SuspendForm
    | LiftSuspensionForm
    | BanForm
    | LiftBanForm
)


def decisions(
    version: BotVersion, ban: DeveloperBan | None, data: Mapping[str, Any] | None
) -> list[DecisionForm]:
    """Return a form for each decision that can be made now; `data` goes to the one that it names."""
    makers: list[Callable[..., DecisionForm]] = []
    if version.state == BotVersion.State.IN_REVIEW:
        makers += [ApproveForm, RequestChangesForm, RejectForm]
    if version.state in moderation.STOPPABLE:
        makers.append(PullForm)
    if version.bot.state in Bot.RUNNING:
        makers.append(SuspendForm)
    if version.bot.state == Bot.State.SUSPENDED and ban is None:
        makers.append(LiftSuspensionForm)
    makers.append(LiftBanForm if ban else BanForm)
    chosen = data.get("decision") if data else None
    return [
        make(data if chosen == make.name else None, prefix=make.name, label_suffix="")  # type: ignore[attr-defined]
        for make in makers
    ]
