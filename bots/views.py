"""What anyone may see: the catalogue of bots, a page for each, and what they run on."""

import platform

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts import second_factor
from bot_sdk.model_files import MODEL_ENDINGS
from bots.forms import CatalogueForm
from bots.models import Bot, BotQuerySet, BotVersion, Category
from bots.runtime import installed_libraries

CARDS_PER_PAGE = 24


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    counted = Count("bots", filter=Q(bots__in=Bot.objects.published()))
    categories = list(Category.objects.annotate(bot_count=counted).filter(bot_count__gt=0).order_by("name"))
    form = CatalogueForm(request.GET, categories=categories)
    bots = _matching(form) if form.is_valid() else Bot.objects.none()
    page = Paginator(bots, CARDS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "categories": categories,
        "bot_count": sum(category.bot_count for category in categories),
        "page": page,
    }
    return render(request, "bots/catalogue.html", context)


@require_safe
def bot(request: HttpRequest, slug: str) -> HttpResponse:
    visible = Bot.objects.all() if _reviews(request) else Bot.objects.visible_to(request.user)
    found = get_object_or_404(visible.select_related("developer", "category"), slug=slug)
    versions = list(found.versions.published().order_by("-created_at", "-pk"))
    context = {
        "bot": found,
        "version": versions[0] if versions else found.versions.order_by("-created_at", "-pk").first(),
        "versions": versions,
        "is_published": bool(versions) and found.state == Bot.State.LISTED,
        "is_own": found.developer == request.user,
    }
    return render(request, "bots/bot.html", context)


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


def _reviews(request: HttpRequest) -> bool:
    """Whether the person judges bots, and may therefore read the page of any."""
    has_right = request.user.is_staff and request.user.has_perm("bots.view_versiontoreview")
    return has_right and second_factor.is_given(request)


def _matching(form: CatalogueForm) -> BotQuerySet:
    versions = BotVersion.objects.published().filter(bot=OuterRef("pk")).order_by("-created_at", "-pk")
    bots = (
        Bot.objects.published()
        .select_related("developer", "category")
        .annotate(version_number=Subquery(versions.values("number")[:1]))
    )
    if form.cleaned_data["category"]:
        bots = bots.filter(category__slug=form.cleaned_data["category"])
    for word in form.cleaned_data["q"].split():
        bots = bots.filter(
            Q(name__icontains=word)
            | Q(tagline__icontains=word)
            | Q(description__icontains=word)
            | Q(developer__username__icontains=word)
        )
    return bots
