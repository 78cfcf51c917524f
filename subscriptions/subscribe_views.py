"""The pages on which a trader enters a new subscription step by step, looks it over and starts it."""

from dataclasses import dataclass
from typing import Any, Unpack

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from bot_sdk.parameters import ConfigError
from bots.models import Bot, BotVersion
from exchanges.models import ExchangeAccount
from subscriptions import drafts, lifecycle
from subscriptions.errors import StaffDoNotTrade, SubscriptionError
from subscriptions.forms import (
    RISK_FIELDS,
    PairSearchForm,
    SubscribeForm,
)
from subscriptions.models import Subscription, SubscriptionDraft
from subscriptions.overview_words import overview
from subscriptions.risk_words import risk_sentences
from subscriptions.steps import Step, steps_of

LONGEST_TEXT = 10_000  # characters of one field, far more than any takes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is in the form of one bot."""

    person: User
    bot: Bot
    version: BotVersion
    steps: list[Step]
    step: Step
    draft: SubscriptionDraft | None

    @property
    def entered(self) -> dict[str, Any]:
        return self.draft.entered if self.draft else {}

    @property
    def entered_here(self) -> set[str]:
        """The step's fields that were filled in, rightly or not."""
        return set(self.step.fields) & self.entered.keys()

    @property
    def next_step(self) -> Step:
        return self.steps[self.steps.index(self.step) + 1]

    @property
    def last_step(self) -> Step | None:
        """The one before this; None at the first."""
        return self.steps[self.steps.index(self.step) - 1] if self.step != self.steps[0] else None

    def form(self, sent: dict[str, Any]) -> SubscribeForm:
        """The whole form with what was entered before and what is sent now."""
        return SubscribeForm(self.entered | sent, version=self.version, accounts=self._accounts())

    def address(self, step: Step) -> str:
        if step == self.steps[0]:
            return reverse("subscriptions:subscribe", args=[self.bot.slug])
        return reverse("subscriptions:subscribe_step", args=[self.bot.slug, step.name])

    @property
    def seen(self) -> str:
        """What the page says of the draft that it shows; empty without one."""
        return drafts.mark_of(self.draft, self.version) if self.draft else ""

    def links(self) -> list[tuple[Step, str]]:
        return [(step, self.address(step)) for step in self.steps]

    def _accounts(self) -> QuerySet[ExchangeAccount]:
        """Those without real money: going live is a step of its own."""
        kinds = ExchangeAccount.Environment
        own = ExchangeAccount.objects.of(self.person).with_access().exclude(environment=kinds.LIVE)
        return (
            own.filter(environment=kinds.PAPER) if self.bot.developer_id == self.person.pk else own
        ).order_by("label")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, slug: str, step: str = "account") -> HttpResponse:
    place = _place(request, slug, step)
    if place.step.name == "review":
        return _review(request, place)
    if request.method == "POST":
        return _enter(request, place)
    form = place.form({})
    judged = place.step.fields if _is_on_review(request) else place.entered_here
    is_planned = place.step.name == "risk" or bool(judged)
    loss = _loss(_plan(place, form)) if is_planned else []
    form.keep_errors_of(judged)
    return _show(request, place, form, loss=loss)


@login_required
@require_POST
def clone(request: HttpRequest, pk: int) -> HttpResponse:
    """Fill the draft in like one of the person's own subscriptions, and lead to the review of it."""
    model = get_object_or_404(Subscription.objects.of(request.user).with_names(), pk=pk)
    return begin_like(
        request,
        bot_pk=model.bot_id,
        market=model.market,
        timeframe=model.timeframe,
        allocated_capital=model.allocated_capital,
        documents=model.documents,
        account=model.account,
    )


def begin_like(request: HttpRequest, *, bot_pk: int, **settled: Unpack[drafts.Settled]) -> HttpResponse:
    """Fill the person's draft for a bot in with what was settled elsewhere, and lead to the review of it."""
    person, bot, version = _asked_for(request, pk=bot_pk)
    if drafts.find(trader=person, bot=bot):
        messages.info(request, f"This takes the place of what you had entered for {bot.name} before.")
    drafts.begin_like(trader=person, version=version, **settled)
    return redirect("subscriptions:subscribe_step", bot.slug, "review")


@login_required
@require_safe
def risk_summary(request: HttpRequest, slug: str) -> HttpResponse:
    """What can be lost with the limits that are typed just now: a part of the risk step."""
    place = _place(request, slug, "risk")
    form = place.form({name: request.GET[name] for name in RISK_FIELDS if name in request.GET})
    return render(request, "subscriptions/subscribe.html#loss", {"loss": _loss(_plan(place, form))})


@login_required
@require_safe
def pairs(request: HttpRequest) -> HttpResponse:
    """Suggest pairs of the chosen exchange that begin with what is typed, as `<option>` elements."""
    suggested = PairSearchForm(request.GET).pairs()
    return render(request, "components/market_fields.html#pairs", {"pairs": suggested})


def _asked_for(request: HttpRequest, **which: Any) -> tuple[User, Bot, BotVersion]:
    """Return who subscribes, to which published bot, and to which version of it; staff do not."""
    bot = get_object_or_404(Bot.objects.published().select_related("developer"), **which)
    version, person = bot.current_version, request.user
    assert version is not None
    assert isinstance(person, User)
    try:
        lifecycle.refuse_staff(person)
    except StaffDoNotTrade as error:
        raise PermissionDenied(str(error)) from error
    return person, bot, version


def _place(request: HttpRequest, slug: str, name: str) -> Place:
    person, bot, version = _asked_for(request, slug=slug)
    steps = steps_of(version)
    step = next((each for each in steps if each.name == name), None)
    if step is None:
        raise Http404
    return Place(person, bot, version, steps, step, drafts.find(trader=person, bot=bot))


def _enter(request: HttpRequest, place: Place) -> HttpResponse:
    """Keep what is sent of this step, and lead on; or back, or to the review, as it is wanted."""
    wanted, person, bot, step = request.POST.get("go", "next"), place.person, place.bot, place.step
    if wanted == "anew":
        drafts.discard(trader=person, bot=bot)
        return redirect(place.address(place.steps[0]))
    if wanted == "reset":
        drafts.forget(trader=person, bot=bot, names=step.fields)
        return redirect(request.get_full_path())
    if wanted == "propose":
        drafts.discard(trader=person, bot=bot)
        drafts.keep(trader=person, bot=bot, entered={"account": _chosen_account(request, place)})
        return redirect(place.address(place.steps[-1]))
    sent = {name: request.POST.get(name, "") for name in step.fields}
    if any(len(value) > LONGEST_TEXT for value in sent.values()):
        raise BadRequest("No field takes so much.")
    form = place.form(sent)
    if "reset" in request.POST:
        form.reset(request.POST["reset"])
        loss = _loss(_plan(place, form)) if step.name == "risk" else []
        form.keep_errors_of(())
        return _show(request, place, form, loss=loss, is_reset=True)
    _plan(place, form)
    # what is wrong, too, so that nothing typed is lost; but the database takes no NUL
    kept = {name: value for name, value in sent.items() if "\x00" not in value}
    drafts.keep(trader=person, bot=bot, entered=kept)
    form.keep_errors_of(step.fields)
    if wanted == "back" and place.last_step:
        return redirect(place.address(place.last_step))
    if form.errors:
        return _show(request, place, form)
    return redirect(place.address(place.steps[-1] if _is_on_review(request) else place.next_step))


def _chosen_account(request: HttpRequest, place: Place) -> str:
    """The account that is ticked; paper where it is none of those that may be."""
    chosen = request.POST.get("account", "")
    return chosen if "account" not in place.form({"account": chosen}).errors else ""


def _review(request: HttpRequest, place: Place) -> HttpResponse:
    if place.draft is None:
        if request.method == "POST":
            messages.info(request, "This was started before, or is too long ago. Your bots are below.")
            return redirect("execution:dashboard")
        return redirect(place.address(place.steps[0]))
    form = place.form({})
    planned = _plan(place, form)
    if request.method == "POST" and planned is not None:
        try:
            started = drafts.start(
                seen=request.POST.get("seen", ""), trader=place.person, bot=place.bot, **form.choices
            )
        except ConfigError as error:
            form.show(error.problems)
        except SubscriptionError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, f"{place.bot.name} is active. It decides at the close of the next candle."
            )
            return redirect(started)
    wrong = next((step for step in place.steps if set(step.fields) & form.errors.keys()), None)
    if wrong is not None:
        return redirect(f"{place.address(wrong)}?then=review")
    parts = overview(planned, place.steps) if planned else []
    context = {"parts": [(step, place.address(step), rows) for step, rows in parts], "loss": _loss(planned)}
    return _show(request, place, form, **context)


def _show(request: HttpRequest, place: Place, form: SubscribeForm, **context: Any) -> HttpResponse:
    context |= {"place": place, "bot": place.bot, "version": place.version, "form": form}
    context["is_on_review"] = _is_on_review(request)
    if place.step.name == "market":
        context["pairs"] = form.pairs()
    return render(request, "subscriptions/subscribe.html", context)


def _plan(place: Place, form: SubscribeForm) -> Subscription | None:
    """Return what the form would start; None when it would be refused and the form now says why."""
    if not form.is_valid():
        return None
    try:
        return lifecycle.planned(trader=place.person, bot=place.bot, **form.choices)
    except ConfigError as error:
        form.show(error.problems)
    except SubscriptionError as error:
        form.add_error(None, str(error))
    return None


def _loss(planned: Subscription | None) -> list[str]:
    if planned is None:
        return []
    return risk_sentences(
        capital=planned.allocated_capital,
        risk=planned.risk,
        market=planned.market,
        account=planned.account,
    )


def _is_on_review(request: HttpRequest) -> bool:
    """Whether the person came from the review, and goes back to it."""
    return request.GET.get("then") == "review"
