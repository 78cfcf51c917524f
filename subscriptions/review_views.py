"""What subscribers say of a bot: a part of its page that htmx pulls in, and what people do with a review."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Min
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts import second_factor
from accounts.models import User
from accounts.moment import kept_for_visitors
from bots.models import Bot
from bots.views import readable_bots
from subscriptions import reviewing
from subscriptions.errors import MayNotReview, SubscriptionError
from subscriptions.models import ReviewReport, SubscriberReview
from subscriptions.review_forms import AnswerForm, ReasonForm, ReviewForm

REVIEWS_PER_PAGE = 10


@require_safe
@kept_for_visitors
@vary_on_headers("HX-Request")
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    bot = get_object_or_404(readable_bots(request).select_related("developer"), slug=slug)
    shown = bot.subscriber_reviews.shown().select_related("version", "trader")
    is_part = "HX-Request" in request.headers
    page = Paginator(shown, REVIEWS_PER_PAGE).get_page(None if is_part else request.GET.get("page"))
    own = SubscriberReview.objects.of(request.user).filter(bot=bot).first()
    context = {
        "bot": bot,
        "page": page,
        "stars": reviewing.stars_of(bot),
        "own": own,
        "may_write": own is None and _may_write(request, bot),
        "is_own_bot": bot.developer == request.user,
        "is_part": is_part,
        "fewest": reviewing.FEWEST_FOR_AVERAGE,
        "shortest": reviewing.SHORTEST,
    }
    return render(request, f"subscriptions/reviews.html{'#reviews' if is_part else ''}", context)


@login_required
def write(request: HttpRequest, slug: str) -> HttpResponse:
    """A subscriber's own review of a bot: to be written, or to be changed."""
    bot = get_object_or_404(readable_bots(request), slug=slug)
    person = _person(request)
    own = SubscriberReview.objects.of(person).filter(bot=bot).first()
    try:
        experience = reviewing.experience_of(trader=person, bot=bot)
    except MayNotReview as error:
        raise PermissionDenied(str(error)) from error
    form = ReviewForm(
        request.POST if request.method == "POST" else None,
        initial={"stars": own.stars, "text": own.text} if own else None,
    )

    def store() -> object:
        if own:
            return reviewing.rewrite(review=own, **form.cleaned_data)
        return reviewing.write(trader=person, bot=bot, **form.cleaned_data)

    if _done(form, store):
        messages.success(request, "Your review is published.")
        return redirect("subscriptions:reviews", bot.slug)
    context = {"bot": bot, "form": form, "own": own, "experience": experience}
    return render(request, "subscriptions/review.html", context)


@login_required
@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    own = get_object_or_404(SubscriberReview.objects.of(request.user), bot__slug=slug)
    try:
        reviewing.withdraw(review=own)
    except SubscriptionError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Your review is deleted.")
    return redirect("subscriptions:reviews", slug)


@login_required
def answer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The developer's answer to a review of their bot."""
    about_own = SubscriberReview.objects.shown().filter(bot__in=Bot.objects.by(request.user))
    review = get_object_or_404(about_own.with_names(), bot__slug=slug, pk=pk)
    form = AnswerForm(request.POST if request.method == "POST" else None)
    if _done(form, lambda: reviewing.answer(review=review, text=form.cleaned_data["answer"])):
        messages.success(request, "Your answer is published.")
        return redirect("subscriptions:reviews", slug)
    return render(request, "subscriptions/answer_review.html", {"review": review, "form": form})


@login_required
def report(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Tell staff that a review must not stand."""
    of_readable = SubscriberReview.objects.shown().filter(bot__in=readable_bots(request))
    review = get_object_or_404(of_readable.with_names(), bot__slug=slug, pk=pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    person = _person(request)
    if _done(form, lambda: reviewing.report(review=review, reporter=person, **form.cleaned_data)):
        messages.success(request, "Reported: staff will look at it.")
        return redirect("subscriptions:reviews", slug)
    return render(request, "subscriptions/report_review.html", {"review": review, "form": form})


@second_factor.required_of_staff
@require_safe
def reported(request: HttpRequest) -> HttpResponse:
    """For staff: what waits to be judged, the longest first."""
    _refuse_others(request)
    waiting = (
        SubscriberReview.objects.with_names()
        .filter(reports__in=ReviewReport.objects.filter(settled_at=None))
        .annotate(report_count=Count("reports"), reported_at=Min("reports__created_at"))
        .order_by("reported_at", "pk")
    )
    page = Paginator(waiting, REVIEWS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "subscriptions/reported_reviews.html", {"page": page})


@second_factor.required_of_staff
def judge(request: HttpRequest, pk: int) -> HttpResponse:
    """For staff: one review with what was reported of it; hide it, or let it stand."""
    _refuse_others(request)
    review = get_object_or_404(SubscriberReview.objects.with_names(), pk=pk)
    person = _person(request)
    is_to_hide = request.POST.get("decision") == "hide"
    form = ReasonForm(request.POST if is_to_hide else None)
    form.fields["reason"].help_text = "The review's author reads it."
    try:
        if _done(form, lambda: reviewing.hide(review=review, by=person, **form.cleaned_data)):
            messages.success(request, "Hidden. It is in the audit log.")
            return redirect("subscriptions:reported_reviews")
        if request.POST.get("decision") == "keep":
            reviewing.keep(review=review, by=person)
            messages.success(request, "It stands. That is in the audit log.")
            return redirect("subscriptions:reported_reviews")
    except MayNotReview as error:
        raise PermissionDenied(str(error)) from error
    reports = review.reports.select_related("reporter")
    context = {"review": review, "reports": reports, "form": form}
    return render(request, "subscriptions/judge_review.html", context)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _may_write(request: HttpRequest, bot: Bot) -> bool:
    if not isinstance(request.user, User):
        return False
    try:
        reviewing.experience_of(trader=request.user, bot=bot)
    except MayNotReview:
        return False
    return True


def _refuse_others(request: HttpRequest) -> None:
    if not request.user.has_perm("subscriptions.change_subscriberreview"):
        raise Http404


def _done(form: Form, deed: Callable[[], object]) -> bool:
    """Do it if the form is valid; whether it was done. What is in the way is then among the form's errors."""
    if not form.is_valid():
        return False
    try:
        deed()
    except MayNotReview:
        raise
    except SubscriptionError as error:
        form.add_error(None, str(error))
    except ValidationError as error:
        form.add_error(None, error)
    else:
        return True
    return False
