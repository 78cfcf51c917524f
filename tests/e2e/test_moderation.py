"""In a real browser: staff turn a version down, approve the next one, and no text runs on their page."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from bots import drafting, uploads
from bots.models import Bot, BotVersion, GateRun, GateStep
from marketplace import roles
from tests.e2e.conftest import capture, sign_in
from tests.e2e.payloads import PAYLOADS
from tests.e2e.test_publishing import ALONE, WATCH
from tests.factories import BUYING_BOT, make_category, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def submit(bot: Bot, number: str, code: str, release_notes: str = "Write less.") -> BotVersion:
    """Return a version that has passed its checks with one piece of advice, and waits for staff."""
    version = drafting.start_version(bot=bot, number=number, release_notes=release_notes)
    uploads.put_code(version=version, content=code.encode())
    drafting.submit(version=version)
    gate = GateRun.objects.get(version=version)
    advice = [{"line": 2, "message": release_notes}]
    GateStep.objects.create(gate=gate, code="policy", position=1, state="ADVICE", evidence=advice)
    GateRun.objects.update(state="PASSED")
    BotVersion.objects.filter(pk=version.pk).update(state=BotVersion.State.IN_REVIEW)
    return version


def make_draft_bot() -> Bot:
    facts = {"tagline": "Buys dips.", "description": "It buys dips.", "category": make_category()}
    return drafting.create_bot(developer=make_user("alice"), name="Dip Buyer", **facts)


def test_a_moderator_turns_one_version_down_and_approves_the_next(
    page: Page, live_server: LiveServer
) -> None:
    bot = make_draft_bot()
    submit(bot, "v1.0.0", BUYING_BOT)
    moderator = make_staff("mona", roles.MODERATOR)

    sign_in(page, live_server.url, moderator)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="Versions to review", exact=True).first.click()
    page.get_by_role("link", name="Dip Buyer v1.0.0").click()
    expect(page.get_by_text("Write less.").first).to_be_visible()
    rejection = page.get_by_role("form", name="Reject")
    rejection.get_by_label("The description does not say what the bot does").check()
    rejection.get_by_label("Note", exact=True).fill("Say when it sells.")
    rejection.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("It is in the audit log.")).to_be_visible()

    page.context.clear_cookies()
    sign_in(page, live_server.url, bot.developer)
    page.goto(f"{live_server.url}/developers/bots/{bot.slug}/v1.0.0/")
    expect(page.get_by_text("Say when it sells.")).to_be_visible()
    expect(page.get_by_text("The description does not say what the bot does")).to_be_visible()
    capture(page, "moderation", "turned-down")
    assert not Bot.objects.published().exists()

    submit(bot, "v1.0.1", BUYING_BOT + "# sells never\n")
    page.context.clear_cookies()
    sign_in(page, live_server.url, moderator)
    page.goto(f"{live_server.url}/admin/bots/versiontoreview/")
    page.get_by_role("link", name="Dip Buyer v1.0.1").click()
    expect(page.get_by_role("form", name="Approve")).to_be_visible()
    capture(page, "moderation", "review")
    page.get_by_role("form", name="Approve").get_by_role("button", name="Approve").click()
    expect(page.get_by_text("It is in the audit log.")).to_be_visible()

    page.context.clear_cookies()
    page.goto(live_server.url)
    page.get_by_role("link", name="Dip Buyer").click()
    expect(page.get_by_role("heading", name="v1.0.1")).to_be_visible()


def test_no_payload_runs_where_staff_review(page: Page, live_server: LiveServer) -> None:
    bot = make_draft_bot()
    together = "\n\n".join(PAYLOADS)
    Bot.objects.filter(pk=bot.pk).update(name=PAYLOADS[0][:80], tagline=PAYLOADS[1], description=together)
    version = submit(bot, "v1.0.0", BUYING_BOT, release_notes=together)
    version.artifacts.update(filename=PAYLOADS[2][:200])
    sign_in(page, live_server.url, make_staff("mona", roles.MODERATOR))
    page.add_init_script(WATCH)

    for address in ("", f"{version.pk}/change/"):
        page.goto(f"{live_server.url}/admin/bots/versiontoreview/{address}")

        assert page.evaluate("seen") == []
        assert page.evaluate(ALONE.replace("img, svg, ", "")) == []
    expect(page.get_by_text(PAYLOADS[0]).first).to_be_visible()
