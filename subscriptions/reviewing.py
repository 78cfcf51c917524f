"""What subscribers say of a bot: written, answered by its developer, reported, and hidden by staff.

Only who has had the bot for a week may write. What they say changes no rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import Event, User
from accounts.notifying import notify
from bots.facts import clean_line, clean_lines
from bots.models import Bot
from exchanges.models import ExchangeAccount
from subscriptions.errors import MayNotReview, SubscriptionError
from subscriptions.models import ReviewReport, SubscriberReview, Subscription

SHORTEST = timedelta(days=7)  # of a subscription that lets its trader write
LONGEST_TEXT = 2_000  # characters
LONGEST_REASON = 300
FEWEST_FOR_AVERAGE = 5


@dataclass(frozen=True, slots=True)
class Experience:
    """What somebody's longest subscription to a bot lets them speak of; `days` are whole ones."""

    subscription: Subscription
    days: int

    @property
    def facts(self) -> dict[str, object]:
        """The fields of a review that come from it."""
        account = self.subscription.account
        is_live = account is not None and account.environment == ExchangeAccount.Environment.LIVE
        return {"version": self.subscription.version, "days": self.days, "is_live": is_live}


@dataclass(frozen=True, slots=True)
class Stars:
    """How many reviews of a bot that are shown have how many stars, the most stars first."""

    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def average(self) -> float | None:
        """None while there are fewer than FEWEST_FOR_AVERAGE."""
        if self.total < FEWEST_FOR_AVERAGE:
            return None
        return sum(stars * count for stars, count in self.counts.items()) / self.total


def stars_of(bot: Bot) -> Stars:
    """Return the stars that a bot has been given. It is one query."""
    rows = bot.subscriber_reviews.shown().order_by().values_list("stars")
    found = dict(rows.annotate(count=Count("pk")))
    possible = range(SubscriberReview.MOST_STARS, SubscriberReview.FEWEST_STARS - 1, -1)
    return Stars({stars: found.get(stars, 0) for stars in possible})


def experience_of(*, trader: User, bot: Bot) -> Experience:
    """Return on what the trader's word about the bot rests.

    Raises MayNotReview for staff, for its developer, and for who has had it for less than SHORTEST.
    """
    if trader.is_staff or trader.is_superuser:
        raise MayNotReview("Staff do not review bots.")
    if bot.developer_id == trader.pk:
        raise MayNotReview(f"{bot.name} is your own bot.")
    now = timezone.now()
    own = Subscription.objects.of(trader).filter(bot=bot).select_related("version", "account")
    longest = max(own, key=lambda each: _length(each, now), default=None)
    if longest is None or _length(longest, now) < SHORTEST:
        raise MayNotReview(
            f"Reviews come from people who have had a bot for {SHORTEST.days} days or more, on paper or live."
        )
    return Experience(longest, _length(longest, now).days)


@transaction.atomic
def write(*, trader: User, bot: Bot, stars: int, text: str) -> SubscriberReview:
    """Publish what the trader says of the bot, and tell its developer.

    Raises MayNotReview as `experience_of`, SubscriptionError for a second one, and ValidationError by field.
    """
    experience = experience_of(trader=trader, bot=bot)
    said = _checked(stars, text)
    review, is_new = SubscriberReview.objects.get_or_create(
        bot=bot, trader=trader, defaults={**said, **experience.facts}
    )
    if not is_new:
        raise SubscriptionError(f"You have reviewed {bot.name} already. Change that review.")
    _tell(
        bot.developer,
        subject=f"{bot.name}: a review of {stars} of {SubscriberReview.MOST_STARS} stars",
        text=review.text,
        review=review,
        key=f"subscriber-review:{bot.pk}:{trader.pk}",  # once, however often it is taken back and written
    )
    return review


@transaction.atomic
def rewrite(*, review: SubscriberReview, stars: int, text: str) -> SubscriberReview:
    """Change one's own review; it then rests on what its author has by now. An answer stays.

    Raises SubscriptionError when staff have hidden it, MayNotReview and ValidationError as `write`.
    """
    locked = _locked(review)
    _refuse_hidden(locked)
    experience = experience_of(trader=locked.trader, bot=locked.bot)
    for name, value in {**_checked(stars, text), **experience.facts}.items():
        setattr(locked, name, value)
    locked.edited_at = timezone.now()
    locked.save()
    locked.reports.exclude(settled_at=None).delete()  # they were about other words
    return locked


@transaction.atomic
def withdraw(*, review: SubscriberReview) -> None:
    """Delete one's own review, with its answer. Raises SubscriptionError when staff have hidden it."""
    locked = _locked(review)
    _refuse_hidden(locked)
    locked.delete()


@transaction.atomic
def answer(*, review: SubscriberReview, text: str) -> SubscriberReview:
    """Have the bot's developer answer, once, and tell the review's author.

    Raises SubscriptionError when it is answered or hidden, and ValidationError.
    """
    said = _clean_text("answer", text)
    locked = _locked(review)
    if locked.answered_at is not None or locked.is_hidden:
        raise SubscriptionError("This review is answered, or not shown any more.")
    locked.answer, locked.answered_at = said, timezone.now()
    locked.save(update_fields=["answer", "answered_at"])
    _tell(
        locked.trader,
        subject=f"Your review of {locked.bot.name} is answered",
        text=said,
        review=locked,
        key=f"review-answer:{locked.pk}",
    )
    return locked


@transaction.atomic
def report(*, review: SubscriberReview, reporter: User, reason: str) -> ReviewReport:
    """Ask staff to look at a review. Twice changes nothing. Raises ValidationError."""
    said = _clean_reason(reason)
    found, _ = _locked(review).reports.get_or_create(reporter=reporter, defaults={"reason": said})
    return found


@transaction.atomic
def hide(*, review: SubscriberReview, by: User, reason: str) -> SubscriberReview:
    """Show a review to nobody but its author, who is told why, and settle what was reported of it.

    Raises MayNotReview for a review of one's own bot, SubscriptionError when it is hidden, ValidationError.
    """
    said = _clean_reason(reason)
    locked = _to_judge(review, by)
    if locked.is_hidden:
        raise SubscriptionError("This review is hidden already.")
    locked.hidden_at, locked.hidden_by, locked.hidden_reason = timezone.now(), by, said
    _judged(locked)
    _tell(
        locked.trader,
        subject=f"Your review of {locked.bot.name} is not shown any more",
        text=said,
        review=locked,
        key=f"review-hidden:{locked.pk}:{locked.hidden_at.isoformat()}",
    )
    audit.record(actor=by, action="subscriber_review.hide", target=locked, reason=said)
    return locked


@transaction.atomic
def keep(*, review: SubscriberReview, by: User) -> SubscriberReview:
    """Find that a review may stand: settle what was reported of it, and show it again if it was hidden.

    Raises MayNotReview for a review of one's own bot.
    """
    locked = _to_judge(review, by)
    was_hidden = locked.is_hidden
    locked.hidden_at, locked.hidden_by, locked.hidden_reason = None, None, ""
    _judged(locked)
    if was_hidden:
        _tell(
            locked.trader,
            subject=f"Your review of {locked.bot.name} is shown again",
            text="Staff have looked at it again.",
            review=locked,
            key=f"review-shown:{locked.pk}:{timezone.now().isoformat()}",
        )
    audit.record(actor=by, action="subscriber_review.keep", target=locked)
    return locked


def _length(subscription: Subscription, now: datetime) -> timedelta:
    """Return how long it has run, or had run when it was stopped; nothing where that is not known."""
    is_stopped = subscription.state == Subscription.State.STOPPED
    ended_at = subscription.stopped_at or subscription.created_at if is_stopped else now
    return ended_at - subscription.created_at


def _checked(stars: int, text: str) -> dict[str, object]:
    fewest, most = SubscriberReview.FEWEST_STARS, SubscriberReview.MOST_STARS
    if not fewest <= stars <= most:
        raise ValidationError({"stars": f"Expected {fewest} to {most} stars, got {stars}."})
    return {"stars": stars, "text": _clean_text("text", text)}


def _clean_text(name: str, text: str) -> str:
    try:
        said = clean_lines(text)
    except ValidationError as error:
        raise ValidationError({name: error.messages}) from error
    if not 0 < len(said) <= LONGEST_TEXT:
        raise ValidationError({name: f"Expected 1 to {LONGEST_TEXT:,} characters, got {len(said):,}."})
    return said


def _clean_reason(reason: str) -> str:
    try:
        said = clean_line(reason)
    except ValidationError as error:
        raise ValidationError({"reason": error.messages}) from error
    if not 0 < len(said) <= LONGEST_REASON:
        raise ValidationError({"reason": f"Expected 1 to {LONGEST_REASON} characters, got {len(said):,}."})
    return said


def _locked(review: SubscriberReview) -> SubscriberReview:
    rows = SubscriberReview.objects.with_names().select_for_update(of=["self"])
    found = rows.filter(pk=review.pk).first()
    if found is None:
        raise SubscriptionError("Its author has just deleted this review.")
    return found


def _refuse_hidden(review: SubscriberReview) -> None:
    if review.is_hidden:
        raise SubscriptionError(
            f"Staff have hidden this review, so it stays as it is: {review.hidden_reason}"
        )


def _to_judge(review: SubscriberReview, by: User) -> SubscriberReview:
    locked = _locked(review)
    if by.pk in (locked.bot.developer_id, locked.trader_id):
        raise MayNotReview("Nobody judges what is written about their own bot, or by themselves.")
    return locked


def _judged(review: SubscriberReview) -> None:
    review.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
    review.reports.filter(settled_at=None).update(settled_at=timezone.now())


def _tell(person: User, *, subject: str, text: str, review: SubscriberReview, key: str) -> None:
    notify(
        people=[person.pk],
        event=Event.REVIEW,
        subject=subject,
        text=text,
        link=reverse("subscriptions:reviews", args=[review.bot.slug]),
        key=key,
    )
