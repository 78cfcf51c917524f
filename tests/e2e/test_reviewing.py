"""In a real browser: a subscriber reviews a bot, its developer answers, and a moderator hides the review."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from marketplace import roles
from subscriptions.models import SubscriberReview
from tests.e2e.conftest import capture, sign_in
from tests.factories import make_bot, make_review, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def become(page: Page, live_server: LiveServer, person: User) -> None:
    page.context.clear_cookies()
    sign_in(page, live_server.url, person)


def test_a_review_is_written_answered_and_hidden(page: Page, live_server: LiveServer) -> None:
    alice, bob, charlie = (make_user(name) for name in ("alice", "bob", "charlie"))
    bot = make_bot(alice, name="Steady", slug="steady")
    for stars in (5, 5, 4, 2):
        make_review(bot, stars=stars)
    make_review(bot, bob).delete()  # what stays is his subscription

    become(page, live_server, bob)
    page.goto(f"{live_server.url}/bots/steady/")
    expect(page.get_by_text("Too few for an average")).to_be_visible()
    page.get_by_role("link", name="Write a review").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Choose 1 to 5 stars.")).to_be_visible()
    page.get_by_label("2 stars").check()
    page.get_by_label("What you found").fill("It sold late.\n\nCall me at 555.")
    capture(page, "reviewing", "review-form")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Your review is published.")).to_be_visible()
    expect(page.get_by_text("of 5 stars on average, 5 reviews")).to_be_visible()

    become(page, live_server, alice)
    page.goto(f"{live_server.url}/bots/steady/")
    page.get_by_role("link", name="Answer bob").click()
    page.get_by_label("Your answer").fill("v1.0.1 sells sooner.")
    page.get_by_role("button", name="Publish the answer").click()
    expect(page.get_by_text("v1.0.1 sells sooner.")).to_be_visible()

    become(page, live_server, charlie)
    page.goto(f"{live_server.url}/bots/steady/")
    expect(page.get_by_role("link", name="Report the review by bob")).to_be_visible()
    capture(page, "reviewing", "reviews-on-bot")
    page.get_by_role("link", name="Report the review by bob").click()
    page.get_by_label("Reason").fill("It has a phone number.")
    page.get_by_role("button", name="Report").click()
    expect(page.get_by_text("Reported: staff will look at it.")).to_be_visible()

    become(page, live_server, make_staff("mona", roles.MODERATOR))
    page.goto(f"{live_server.url}/staff/reviews/")
    capture(page, "reviewing", "reported-reviews")
    page.get_by_role("link", name="Judge the review by bob").click()
    expect(page.get_by_text("It has a phone number.")).to_be_visible()
    page.get_by_label("Reason").fill("No phone numbers.")
    capture(page, "reviewing", "judge-review")
    page.get_by_role("button", name="Hide").click()
    expect(page.get_by_text("Hidden. It is in the audit log.")).to_be_visible()

    become(page, live_server, bob)
    page.goto(f"{live_server.url}/bots/steady/reviews/")
    expect(page.get_by_text("No phone numbers.")).to_be_visible()
    expect(page.get_by_text("Call me at 555.")).to_have_count(0)
    capture(page, "reviewing", "hidden")
    assert SubscriberReview.objects.shown().count() == 4
