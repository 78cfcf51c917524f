"""The page on which a trader puts capital into a subscription, or takes some out of it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from bot_sdk.parameters import ConfigError
from bot_sdk.timeframes import next_close
from exchanges.templatetags.amounts import money
from execution.capital import Plan, change_capital, planned, room_of
from subscriptions import changing
from subscriptions.errors import SubscriptionError
from subscriptions.forms import AmountField, revision_in
from subscriptions.going_live import usual_buy
from subscriptions.models import Subscription
from subscriptions.real_money import asks_who_it_is
from subscriptions.risk_words import risk_sentences
from subscriptions.views import STORE


class CapitalForm(forms.Form):
    allocated_capital = AmountField(
        label="Allocated capital",
        help_text="All that it may use from then on, in the pair's quote currency: more than now puts the "
        "difference in, less takes it out. Sizes and limits in % of it follow.",
    )


@asks_who_it_is(at_step=STORE)
def capital(request: HttpRequest, pk: int) -> HttpResponse:
    """The amount in a form; then what would change; then it is changed."""
    own = Subscription.objects.of(request.user).with_names().select_related("position", "trader")
    found = get_object_or_404(own, pk=pk)
    if found.state not in changing.CHANGEABLE:
        messages.info(request, "Only what runs, or is paused, can be given other capital.")
        return redirect(found)
    data = request.POST if request.method == "POST" else None
    form = CapitalForm(data, initial={"allocated_capital": found.allocated_capital})
    plan = None
    if data is not None and form.is_valid():
        wanted: Decimal = form.cleaned_data["allocated_capital"]
        try:
            if data.get("step") == STORE:
                changed = change_capital(subscription=found, capital=wanted, revision=revision_in(data))
                said = money(changed.allocated_capital, found.market.quote)
                messages.success(request, f"Changed: it trades with {said} from its next decision on.")
                return redirect(found)
            plan = planned(subscription=found, capital=wanted)
        except ConfigError as error:
            for name, problem in error.problems.items():
                form.add_error(name if name in form.fields else None, problem)
        except SubscriptionError as error:
            form.add_error(None, str(error))
    is_shown = data is not None and data.get("step") != "edit"
    return render(request, "execution/capital.html", _page(found, form, plan if is_shown else None))


def _page(found: Subscription, form: CapitalForm, plan: Plan | None) -> dict[str, Any]:
    room = room_of(found)
    context: dict[str, Any] = {
        "subscription": found,
        "form": form,
        "room": room,
        "most": max(found.allocated_capital - room.least, Decimal(0)),
        "plan": plan,
    }
    if plan is not None:
        context |= {
            "taken": -plan.amount,
            "buy_now": usual_buy(found, plan.before),
            "buy": usual_buy(found, plan.after),
            "holds_from": next_close(found.timeframe, timezone.now()),
            "loss": risk_sentences(
                capital=plan.after,
                risk=found.risk,
                market=found.market,
                account=found.account,
                has_begun=True,
            ),
        }
    return context
