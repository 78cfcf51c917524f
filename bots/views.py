"""What anyone may see: the catalogue of bots, a page for each, and what they run on."""

import platform
from collections.abc import Sequence
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Paginator
from django.core.validators import slug_re
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from django_htmx.http import replace_url

from accounts import second_factor
from accounts.moment import kept_for_visitors
from bot_sdk.gate_steps import GATE_STEPS
from bot_sdk.model_files import MODEL_ENDINGS
from bots.cards import CardFacts, card_html, listing
from bots.catalogue import BEST_RECORD, categories_with_bots, with_version
from bots.forms import catalogue_form
from bots.listings import Row
from bots.models import Bot, BotQuerySet, GateRun, Review
from bots.runtime import installed_libraries

CARDS_PER_PAGE = 24
MOST_COMPARED = 4
LIST_ID = "bots"  # of the part of the catalogue that follows what is asked


@require_safe
@kept_for_visitors
def catalogue(request: HttpRequest) -> HttpResponse:
    form = catalogue_form(request.GET, categories_with_bots())
    bots: Sequence[Row] = listing(form) if form.is_valid() else []
    page = Paginator(bots, CARDS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "cards": SafeString("".join(card_html(CardFacts(*row)) for row in page.object_list)),
    }
    if request.headers.get("HX-Target") == LIST_ID:
        answer = render(request, "bots/catalogue.html#list", context | {"is_list_alone": True})
        replace_url(answer, f"?{urlencode([each for each in request.GET.items() if each[1]])}")
    else:
        answer = render(request, "bots/catalogue.html", context)
    patch_vary_headers(answer, ["HX-Target"])
    return answer


@require_safe
@kept_for_visitors
def bot(request: HttpRequest, slug: str) -> HttpResponse:
    readable = readable_bots(request).select_related("developer", "category")
    found = get_object_or_404(readable, slug=slug)
    versions = list(found.versions.published().order_by("-created_at", "-pk"))
    is_published, is_own = bool(versions) and found.state == Bot.State.LISTED, found.developer == request.user
    is_had = not (is_published or is_own or is_judge(request))  # who else may read it
    others = found.versions.ever_published() if is_had else found.versions.all()
    version = versions[0] if versions else others.order_by("-created_at", "-pk").first()
    gate = GateRun.objects.filter(version=version).first()
    checked = gate if gate and gate.state in (GateRun.State.PASSED, GateRun.State.FAILED) else None
    approvals = Review.objects.filter(version=version, decision=Review.Decision.APPROVED)
    context = {
        "bot": found,
        "version": version,
        "versions": versions,
        "gate": gate,
        "checks": [(step, GATE_STEPS.get(step.code)) for step in checked.steps.all()] if checked else [],
        "approved_at": approvals.values_list("decided_at", flat=True).first(),
        "is_published": is_published,
        "is_own": is_own,
        "is_had": is_had,
    }
    return render(request, "bots/bot.html", context)


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """The bots that the address names, side by side; whatever is not listed is left out and said."""
    slugs = list(dict.fromkeys(request.GET.getlist("bot")))
    named = [slug for slug in slugs if slug_re.fullmatch(slug)][:MOST_COMPARED]
    found = {each.slug: each for each in with_version(Bot.objects.published()).filter(slug__in=named)}
    problem = ""
    if len(slugs) > MOST_COMPARED:
        problem = f"Up to {MOST_COMPARED} bots stand side by side: these are the first {MOST_COMPARED}."
    elif len(found) < len(slugs):
        problem = "A bot of this comparison is not listed any more, or never was."
    bots = [found[slug] for slug in named if slug in found]
    return render(request, "bots/compare.html", {"bots": bots, "problem": problem})


@require_safe
@kept_for_visitors
def developer(request: HttpRequest, username: str) -> HttpResponse:
    """All that somebody has published, with what is not offered any more: a bad record does not go away."""
    if "\x00" in username:  # which the database refuses
        raise Http404
    shown = Bot.objects.published() | Bot.objects.ever_published()
    bots = with_version(shown.filter(developer__username=username)).order_by("state", BEST_RECORD, "name")
    page = Paginator(bots, CARDS_PER_PAGE).get_page(request.GET.get("page"))
    if not page.paginator.count:
        raise Http404
    return render(request, "bots/developer.html", {"username": username, "page": page})


@require_safe
def runtime(request: HttpRequest) -> HttpResponse:
    libraries = installed_libraries(settings.BOT_RUNTIME_DIR)
    context = {
        "main_libraries": [library for library in libraries if library.purpose],
        "other_libraries": [library for library in libraries if not library.purpose],
        "python_version": platform.python_version(),
        "model_endings": MODEL_ENDINGS,
        "timeout_seconds": settings.BOT_EXECUTION_TIMEOUT,
        "memory_mb": settings.BOT_MAX_MEMORY_MB,
        "cpu_percent": settings.BOT_MAX_CPU_PERCENT,
    }
    return render(request, "bots/runtime.html", context)


def readable_bots(request: HttpRequest) -> BotQuerySet:
    """The bots whose pages the person may read: with their second factor, those who judge bots read all.

    But for deleted ones, whose addresses are other bots' by now.
    """
    there = Bot.objects.exclude(state=Bot.State.DELETED)
    return there if is_judge(request) else Bot.objects.visible_to(request.user)


def is_judge(request: HttpRequest) -> bool:
    has_right = request.user.is_staff and request.user.has_perm("bots.view_versiontoreview")
    return bool(has_right and second_factor.is_given(request))
