"""What subscribers say of a bot: who may, what is taken, who reads it, and what staff do with it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry, Event, Notification, User
from bots.models import Bot
from marketplace import roles
from subscriptions import lifecycle, reviewing
from subscriptions.errors import MayNotReview, SubscriptionError
from subscriptions.models import SubscriberReview, Subscription
from tests.factories import (
    Program,
    make_bot,
    make_exchange_account,
    make_review,
    make_staff,
    make_subscription,
    make_user,
    sign_in_staff,
)

pytestmark = pytest.mark.django_db

SAID: dict[str, Any] = {"stars": 4, "text": "It does what it says."}
LIST_QUERIES = 4  # the bot, how many, the stars, the reviews
READERS_QUERIES = 6  # the session, the person and their rights, their review, their subscriptions


@pytest.fixture
def bot(alice: User) -> Bot:
    return make_bot(alice, name="Steady", slug="steady")


def had_for(days: float, trader: User, bot: Bot, **overrides: Any) -> Subscription:
    subscription = make_subscription(trader, bot=bot, **overrides)
    begun_at = timezone.now() - timedelta(days=days)
    Subscription.objects.filter(pk=subscription.pk).update(created_at=begun_at)
    subscription.refresh_from_db()
    return subscription


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return " ".join(answer.content.decode().split())


def told(person: User) -> list[str]:
    mine = Notification.objects.filter(person=person, event=Event.REVIEW).order_by("pk")
    return list(mine.values_list("subject", flat=True))


def browser_of(person: User) -> Client:
    client = Client()
    if person.is_staff:
        sign_in_staff(client, person)
    else:
        client.force_login(person)
    return client


# --- who may ---


def test_a_week_with_the_bot_lets_its_trader_write(bot: Bot, bob: User, alice: User) -> None:
    had_for(7, bob, bot)

    review = reviewing.write(trader=bob, bot=bot, **SAID)

    assert (review.version, review.days, review.is_live) == (bot.current_version, 7, False)
    assert told(alice) == ["Steady: a review of 4 of 5 stars"]


def test_a_review_that_is_taken_back_and_written_again_is_told_of_once(
    bot: Bot, bob: User, alice: User
) -> None:
    had_for(7, bob, bot)

    for _ in range(3):
        reviewing.withdraw(review=reviewing.write(trader=bob, bot=bot, **SAID))

    assert len(told(alice)) == 1


def test_less_than_a_week_does_not(bot: Bot, bob: User) -> None:
    had_for(6.99, bob, bot)
    had_for(6.99, bob, bot)

    with pytest.raises(MayNotReview, match="for 7 days or more"):
        reviewing.write(trader=bob, bot=bot, **SAID)


def test_a_subscription_that_was_stopped_counts_as_long_as_it_lasted(bot: Bot, bob: User) -> None:
    stopped = lifecycle.stop(subscription=had_for(60, bob, bot))
    begun_at = stopped.created_at
    Subscription.objects.filter(pk=stopped.pk).update(stopped_at=begun_at + timedelta(days=6))
    with pytest.raises(MayNotReview):
        reviewing.experience_of(trader=bob, bot=bot)

    Subscription.objects.filter(pk=stopped.pk).update(stopped_at=begun_at + timedelta(days=9))
    assert reviewing.experience_of(trader=bob, bot=bot).days == 9

    Subscription.objects.filter(pk=stopped.pk).update(stopped_at=None)
    with pytest.raises(MayNotReview):
        reviewing.experience_of(trader=bob, bot=bot)


def test_stopping_is_dated(bot: Bot, bob: User) -> None:
    before = timezone.now()

    stopped = lifecycle.stop(subscription=had_for(9, bob, bot))

    assert stopped.stopped_at is not None
    assert before <= stopped.stopped_at <= timezone.now()


def test_the_longest_subscription_says_how_long_and_with_what(bot: Bot, bob: User) -> None:
    had_for(8, bob, bot)
    had_for(30, bob, bot, account=make_exchange_account(bob, environment="LIVE"))

    review = reviewing.write(trader=bob, bot=bot, **SAID)

    assert (review.days, review.is_live) == (30, True)


@pytest.mark.parametrize("role", [*roles.RIGHTS, "superuser"])
def test_staff_do_not_review(bot: Bot, role: str, mona: User) -> None:
    person = mona if role == "superuser" else make_staff("nina", role)
    had_for(30, person, bot)

    with pytest.raises(MayNotReview, match="Staff"):
        reviewing.write(trader=person, bot=bot, **SAID)


def test_the_api_answers_each_person_as_promised(bot: Bot, alice: User, bob: User, mona: User) -> None:
    for person in (alice, bob):
        had_for(30, person, bot)
    address = f"/api/bots/{bot.pk}/reviews/"
    others = [make_user("charlie"), make_bot().developer, make_staff("nina", roles.MODERATOR), mona]

    assert Client().post(address, SAID, "application/json").status_code == 401
    assert [Program(each).send(address, SAID).status_code for each in (alice, *others)] == [403] * 5
    assert Program(bob, is_read_only=True).send(address, SAID).status_code == 403
    assert not SubscriberReview.objects.exists()

    first, second = (Program(bob).send(address, SAID) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 409)
    assert first.json()["author"] == "bob"
    assert first.json()["days"] == 30
    assert Client().get(address).json()["results"] == [first.json()]


# --- what is taken ---


@pytest.mark.parametrize("stars", [0, 6, -1, 4.5, 4.0, "5", True, None, [5], 10**30])
def test_stars_are_whole_numbers_from_one_to_five(bot: Bot, bob: User, stars: Any) -> None:
    had_for(8, bob, bot)

    answer = Program(bob).send(f"/api/bots/{bot.pk}/reviews/", SAID | {"stars": stars})

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["stars"]


@pytest.mark.parametrize("stars", ["0", "6", "4.5", "", "five", "\0"])
def test_the_page_refuses_other_stars(bot: Bot, bob: User, stars: str) -> None:
    had_for(8, bob, bot)

    answer = browser_of(bob).post("/bots/steady/review/", SAID | {"stars": stars})

    assert "Choose 1 to 5 stars." in answer.content.decode() or "Null characters" in answer.content.decode()
    assert not SubscriberReview.objects.exists()


@pytest.mark.parametrize("text", ["", "  \n ", "a\u202eb", "a\u200bb", "a\x07b", "x" * 2_001, [], None])
def test_text_is_bounded_and_all_of_it_is_seen(bot: Bot, bob: User, text: Any) -> None:
    had_for(8, bob, bot)

    answer = Program(bob).send(f"/api/bots/{bot.pk}/reviews/", SAID | {"text": text})

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["text"]


def test_the_database_keeps_one_review_of_one_to_five_stars(bot: Bot, bob: User) -> None:
    review = make_review(bot, bob)
    copied = {"bot": bot, "version": review.version, "days": 8, "is_live": False, "text": "x"}

    for trader, stars in ((bob, 5), (make_user("charlie"), 6)):
        with pytest.raises(IntegrityError), transaction.atomic():
            SubscriberReview.objects.create(trader=trader, stars=stars, **copied)


def test_the_same_request_sent_again_writes_one_review(bot: Bot, bob: User) -> None:
    had_for(8, bob, bot)
    program, address = Program(bob), f"/api/bots/{bot.pk}/reviews/"

    first, again = (program.send(address, SAID, Idempotency_Key="one") for _ in range(2))
    other = program.send(address, SAID | {"stars": 1}, Idempotency_Key="one")

    assert (first.status_code, again.json(), other.status_code) == (201, first.json(), 422)
    assert SubscriberReview.objects.count() == 1


# --- one's own ---


def test_authors_change_and_delete_their_own_by_the_api(bot: Bot, bob: User, charlie: User) -> None:
    review = make_review(bot, bob)
    address = f"/api/bots/{bot.pk}/reviews/{review.pk}/"
    missing = f"/api/bots/{bot.pk}/reviews/{review.pk + 1}/"

    for program, path in ((Program(charlie), address), (Program(bob), missing)):
        assert program.patch(path, {"stars": 1}, "application/json").status_code == 404
        assert program.delete(path).status_code == 404
    changed = Program(bob).patch(address, {"stars": 1}, "application/json")
    assert (changed.status_code, changed.json()["stars"], changed.json()["text"]) == (200, 1, review.text)
    assert changed.json()["edited_at"] is not None
    assert Program(bob).patch(address, {"answer": "x"}, "application/json").status_code == 400
    assert Program(bob).patch(address, {"stars": "1"}, "application/json").status_code == 400

    assert Program(bob).delete(address).status_code == 204
    assert not SubscriberReview.objects.exists()


def test_authors_write_change_and_delete_on_the_pages(bot: Bot, bob: User) -> None:
    had_for(8, bob, bot)
    bobs = browser_of(bob)
    assert "Write a review" in page(bobs, "/bots/steady/reviews/")

    bobs.post("/bots/steady/review/", SAID)
    bobs.post("/bots/steady/review/", {"stars": 2, "text": "Changed my mind."})

    review = SubscriberReview.objects.get()
    assert (review.stars, review.text, review.edited_at is not None) == (2, "Changed my mind.", True)
    assert "Changed my mind." in page(bobs, "/bots/steady/review/")
    assert bobs.get("/bots/steady/review/delete/").status_code == 405
    bobs.post("/bots/steady/review/delete/")
    assert not SubscriberReview.objects.exists()
    assert bobs.post("/bots/steady/review/delete/").status_code == 404


def test_a_review_of_a_retired_bot_can_still_be_changed(bot: Bot, bob: User, charlie: User) -> None:
    make_review(bot, bob)
    Bot.objects.update(state=Bot.State.RETIRED)

    assert "It does what it says." in page(browser_of(bob), "/bots/steady/review/")
    assert browser_of(charlie).get("/bots/steady/reviews/").status_code == 404
    Bot.objects.update(state=Bot.State.SUSPENDED)
    assert browser_of(bob).get("/bots/steady/reviews/").status_code == 404


# --- who reads it ---


def test_the_list_shows_on_what_each_review_rests_and_takes_few_queries(
    bot: Bot, charlie: User, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        make_review(bot, text=f"Number {number}.")
    charlies = browser_of(charlie)

    with django_assert_num_queries(LIST_QUERIES):
        first = page(client, "/bots/steady/reviews/")
    with django_assert_num_queries(LIST_QUERIES + READERS_QUERIES):
        page(charlies, "/bots/steady/reviews/")

    assert "Subscribed for 8 days, on paper, v1.0.0" in first
    assert first.index("Number 11.") < first.index("Number 2.")
    assert "Number 1." not in first
    assert "Number 1." in page(client, "/bots/steady/reviews/?page=2")
    assert "Page 2 of 2" in page(client, "/bots/steady/reviews/?page=1000000000")


def test_the_bots_page_pulls_the_first_reviews_in(bot: Bot, client: Client) -> None:
    make_review(bot)

    assert 'hx-get="/bots/steady/reviews/"' in page(client, "/bots/steady/")
    part = client.get("/bots/steady/reviews/", headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith("<section")
    assert "It does what it says." in part


def test_there_is_no_average_of_a_few_reviews(bot: Bot, client: Client) -> None:
    assert "Nobody has reviewed it yet." in page(client, "/bots/steady/reviews/")
    for stars in (5, 5, 4, 1):
        make_review(bot, stars=stars)
    assert "Too few for an average" in page(client, "/bots/steady/reviews/")

    make_review(bot, stars=2)

    assert "<strong>3.4</strong>" in page(client, "/bots/steady/reviews/")
    assert dict(reviewing.stars_of(bot).counts) == {5: 2, 4: 1, 3: 0, 2: 1, 1: 1}


def test_hostile_text_is_shown_as_text(bot: Bot, bob: User, client: Client) -> None:
    review = make_review(bot, bob, text="<script>ran()</script> [a](javascript:ran())")
    reviewing.answer(review=review, text="<img src=x onerror=ran()>")

    shown = page(client, "/bots/steady/reviews/")

    assert "&lt;script&gt;ran()&lt;/script&gt; [a](javascript:ran())" in shown
    assert "&lt;img src=x onerror=ran()&gt;" in shown


# --- the developer ---


def test_the_developer_answers_once_and_the_author_is_told(bot: Bot, bob: User, alice: User) -> None:
    review = make_review(bot, bob)
    address = f"/bots/steady/reviews/{review.pk}/answer/"
    alices = browser_of(alice)

    empty = alices.post(address, {"answer": "\u200b"}).content.decode()
    assert "cannot be seen" in empty
    alices.post(address, {"answer": "Thank you."})
    again = alices.post(address, {"answer": "And more."}).content.decode()

    review.refresh_from_db()
    assert (review.answer, "is answered" in again) == ("Thank you.", True)
    assert told(bob) == ["Your review of Steady is answered"]
    assert "Thank you." in page(Client(), "/bots/steady/reviews/")


# --- the routes, for every role ---


def statuses(path: str, people: dict[str, User | None], data: dict[str, Any] | None) -> dict[str, int]:
    found = {}
    for name, person in people.items():
        client = browser_of(person) if person else Client()
        with transaction.atomic():
            answer = client.get(path) if data is None else client.post(path, data)
            transaction.set_rollback(True)
        is_login = answer.status_code == 302 and "/login/" in answer["Location"]
        found[name] = 401 if is_login else answer.status_code
    return found


@pytest.fixture
def people(alice: User, bob: User, charlie: User, mona: User) -> dict[str, User | None]:
    return {
        "anonymous": None,
        "trader": bob,
        "other": charlie,
        "developer": alice,
        "other developer": make_bot().developer,
        "moderator": make_staff("nina", roles.MODERATOR),
        "finance": make_staff("fred", roles.FINANCE),
        "superuser": mona,
    }


def test_each_route_is_open_to_whom_it_is_for(bot: Bot, bob: User, people: dict[str, User | None]) -> None:
    review = make_review(bot, bob)
    one = f"/bots/steady/reviews/{review.pk}"
    reason = {"reason": "It is about another bot."}
    of_others = {"other": 404, "other developer": 404}
    judges = {"anonymous": 401, "trader": 404, "developer": 404, **of_others, "finance": 404}
    deeds: list[tuple[str, dict[str, Any] | None, int, dict[str, int]]] = [
        ("/bots/steady/reviews/", None, 200, {}),
        ("/bots/steady/review/", None, 403, {"anonymous": 401, "trader": 200}),
        ("/bots/steady/review/", SAID, 403, {"anonymous": 401, "trader": 302}),
        ("/bots/steady/review/delete/", {}, 404, {"anonymous": 401, "trader": 302}),
        (f"{one}/answer/", {"answer": "No."}, 404, {"anonymous": 401, "developer": 302}),
        (f"{one}/report/", reason, 302, {"anonymous": 401}),
        ("/staff/reviews/", None, 200, judges),
        (f"/staff/reviews/{review.pk}/", None, 200, judges),
        (f"/staff/reviews/{review.pk}/", {"decision": "hide", **reason}, 302, judges),
        (f"/staff/reviews/{review.pk}/", {"decision": "keep"}, 302, judges),
        ("/staff/reviews/0/", {"decision": "keep"}, 404, {"anonymous": 401}),
        ("/bots/steady/reviews/0/report/", reason, 404, {"anonymous": 401}),
    ]

    for path, data, usual, exceptions in deeds:
        expected = dict.fromkeys(people, usual) | exceptions
        assert statuses(path, people, data) == expected, (path, data)


# --- staff ---


def test_a_reported_review_is_hidden_with_a_reason_and_its_author_is_told(
    bot: Bot, bob: User, charlie: User
) -> None:
    review = make_review(bot, bob, text="Call me at 555.")
    nina = make_staff("nina", roles.MODERATOR)
    ninas = browser_of(nina)
    report = {"reason": "It has a phone number."}
    for _ in range(2):
        browser_of(charlie).post(f"/bots/steady/reviews/{review.pk}/report/", report)
    queue = page(ninas, "/staff/reviews/")
    assert "Call me at 555." in queue
    assert "reported by 1 person" in queue
    assert "It has a phone number." in page(ninas, f"/staff/reviews/{review.pk}/")

    judge = f"/staff/reviews/{review.pk}/"
    assert "This field is required." in ninas.post(judge, {"decision": "hide"}).content.decode()
    ninas.post(judge, {"decision": "hide", "reason": "No phone numbers."})

    review.refresh_from_db()
    assert (review.hidden_by, review.hidden_reason) == (nina, "No phone numbers.")
    assert told(bob) == ["Your review of Steady is not shown any more"]
    entry = AuditEntry.objects.latest("number")
    assert (entry.actor_name, entry.action, entry.details) == (
        "nina",
        "subscriber_review.hide",
        {"reason": "No phone numbers."},
    )
    assert "Nothing is reported" in page(ninas, "/staff/reviews/")
    assert "Call me at 555." not in page(Client(), "/bots/steady/reviews/")
    assert "No phone numbers." in page(browser_of(bob), "/bots/steady/reviews/")
    assert Client().get(f"/api/bots/{bot.pk}/reviews/").json()["results"] == []


def test_what_is_hidden_is_neither_changed_nor_deleted_to_be_written_anew(bot: Bot, bob: User) -> None:
    review = make_review(bot, bob)
    reviewing.hide(review=review, by=make_staff("nina", roles.MODERATOR), reason="Rude.")

    for deed in (
        lambda: reviewing.rewrite(review=review, **SAID),
        lambda: reviewing.withdraw(review=review),
        lambda: reviewing.answer(review=review, text="x"),
        lambda: reviewing.write(trader=bob, bot=bot, **SAID),
    ):
        with pytest.raises(SubscriptionError):
            deed()
    browser_of(bob).post("/bots/steady/review/delete/")
    assert SubscriberReview.objects.get().hidden_reason == "Rude."
    assert reviewing.stars_of(bot).total == 0


def test_what_may_stand_is_shown_again(bot: Bot, bob: User) -> None:
    nina = make_staff("nina", roles.MODERATOR)
    review = make_review(bot, bob)
    reviewing.hide(review=review, by=nina, reason="Rude.")

    browser_of(nina).post(f"/staff/reviews/{review.pk}/", {"decision": "keep"})

    assert SubscriberReview.objects.shown().get() == review
    assert told(bob)[-1] == "Your review of Steady is shown again"
    assert AuditEntry.objects.latest("number").action == "subscriber_review.keep"


def test_nobody_judges_what_is_said_of_their_own_bot(bob: User) -> None:
    nina = make_staff("nina", roles.MODERATOR)
    review = make_review(make_bot(nina), bob)
    address = f"/staff/reviews/{review.pk}/"

    for decision in ("hide", "keep"):
        answer = browser_of(nina).post(address, {"decision": decision, "reason": "It is bad."})
        assert answer.status_code == 403
    review.refresh_from_db()
    assert not review.is_hidden


def test_a_changed_review_can_be_reported_anew(bot: Bot, bob: User, charlie: User) -> None:
    review = make_review(bot, bob)
    reviewing.report(review=review, reporter=charlie, reason="Rude.")
    reviewing.keep(review=review, by=make_staff("nina", roles.MODERATOR))
    reviewing.report(review=review, reporter=charlie, reason="Rude.")
    assert not review.reports.filter(settled_at=None).exists()

    reviewing.rewrite(review=review, **SAID)
    reviewing.report(review=review, reporter=charlie, reason="Rude now.")

    assert review.reports.get().reason == "Rude now."


@pytest.mark.parametrize("reason", ["", " ", "x" * 301, "a\u202eb"])
def test_a_reason_is_one_line_that_can_be_read(bot: Bot, charlie: User, reason: str) -> None:
    review = make_review(bot)

    with pytest.raises(ValidationError):
        reviewing.report(review=review, reporter=charlie, reason=reason)
