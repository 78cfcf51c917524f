"""For staff: what the exchanges were asked lately, and whether one of them told us to stop."""

from collections import Counter
from dataclasses import dataclass
from typing import cast

import redis
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import second_factor
from accounts.models import User
from exchanges import request_log
from exchanges.errors import ExchangeUnavailable
from exchanges.gateways import shared_budget, shared_redis
from exchanges.models import Exchange


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request, "METHOD /path", and how often it was sent."""

    name: str
    this_hour: int
    in_all: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What one exchange was asked in the last 24 hours, the current one included."""

    label: str
    this_hour: int
    in_all: int
    busiest_hour: int
    halted_seconds: float
    kinds: list[Kind]


@second_factor.required_of_staff
@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    if not cast(User, request.user).is_staff:
        raise Http404
    try:
        exchanges = [_asked(exchange) for exchange in settings.SUPPORTED_EXCHANGES]
    except (redis.RedisError, ExchangeUnavailable):
        exchanges = None
    return render(request, "exchanges/requests.html", {"exchanges": exchanges})


def _asked(exchange: str) -> Asked:
    hours = request_log.last_hours(shared_redis(), exchange)
    current, in_all = hours[0].asked, sum((hour.asked for hour in hours), Counter[str]())
    return Asked(
        label=Exchange(exchange).label,
        this_hour=current.total(),
        in_all=in_all.total(),
        busiest_hour=max(hour.asked.total() for hour in hours),
        halted_seconds=shared_budget(exchange).halted_seconds(),
        kinds=[Kind(name, current[name], count) for name, count in in_all.most_common()],
    )
