"""In a real browser: a developer publishes, a subscriber follows, and what is written here runs nowhere."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from bot_sdk.parameters import Parameter
from bots import drafting, markdown, moderation, storage
from bots.models import Artifact, Bot, BotVersion, GateRun, GateStep, Review
from marketplace.roles import MODERATOR
from subscriptions.models import SubscriberReview, Subscription
from tests.e2e.conftest import capture, sign_in
from tests.e2e.payloads import PAYLOADS, RUN
from tests.factories import BUYING_BOT, make_category, make_market, make_staff, make_user

pytestmark = pytest.mark.django_db(transaction=True)

CHECKED_MILLISECONDS = 300_000  # a machine that is busy with other tests
DIP_BUYER = """
from bot_sdk import Action, CustomBot, Parameter


class DipBuyer(CustomBot):
    warm_up = 60
    parameters = [Parameter("buy_below", "integer", 30, label="Buy below", minimum=1, maximum=50)]

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        price, rsi = data["close"].iloc[-1], data["rsi"].iloc[-1]
        if rsi < self.config["buy_below"]:
            return Action("BUY", price, f"RSI {rsi:.0f}: oversold")
        return Action("SELL" if rsi > 70 else "HOLD", price, f"RSI {rsi:.0f}")
"""
ALONE = """() => {
  const found = [];
  const foreign = "script, iframe, object, embed, img, svg, math, style, link, base, meta, template, video";
  for (const element of document.querySelectorAll("main *, title")) {
    if (element.matches(foreign)) found.push(element.outerHTML);
    for (const attribute of element.attributes) {
      const isAddress = ["href", "src", "action", "formaction"].includes(attribute.name);
      const isOurs = /^(https?:|mailto:|[/#?]|$)/.test(attribute.value);
      if (/^(on|hx-on)/.test(attribute.name) || attribute.name === "style" || (isAddress && !isOurs))
        found.push(element.outerHTML);
    }
  }
  return found;
}"""
WATCH = """
  window.seen = [];
  window.ran = window.alert = () => { window.seen.push("a script ran"); };
  document.addEventListener("securitypolicyviolation", (event) => {
    document.documentElement.dataset.violated = "";
    window.seen.push(`${event.violatedDirective} at ${event.target?.outerHTML ?? event.target}`);
  });
"""


def test_a_developer_publishes_two_versions_and_a_subscriber_moves_by_choice(
    page: Page, background: None, live_server: LiveServer, tmp_path: Path
) -> None:
    make_category("Momentum")
    moderator = make_staff("mona", MODERATOR)
    staff, trader = visitor(page), visitor(page, is_plain=True)  # whose browser runs no scripts
    for who, person in ((page, make_user("alice")), (trader, make_user("bob")), (staff, moderator)):
        sign_in(who, live_server.url, person)

    page.goto(live_server.url)
    create_bot(page)
    expect(page.get_by_label("v1.0.0: the first to be offered")).to_be_checked()
    page.get_by_role("button", name="Start the draft").click()
    write_in_the_editor(page)
    upload_code(page, tmp_path / "bot.py", DIP_BUYER)
    expect(page.get_by_label("Code of bot.py")).to_have_value(re.compile("class DipBuyer"))
    upload_config(page, tmp_path / "scaler.json")
    capture(page, "publishing", "draft")
    submit(page, "v1.0.0")
    expect(page.get_by_role("heading", name="It does not look ahead")).to_be_visible()
    expect(page.get_by_label("Buy below")).to_be_disabled()
    capture(page, "publishing", "checked")
    first = BotVersion.objects.get()
    assert storage.read_code(first) == DIP_BUYER
    moderation.approve(version=first, reviewer=moderator)

    trader.goto(live_server.url)
    subscribe(trader)
    expect(trader.get_by_text("v1.0.0").first).to_be_visible()

    page.goto(live_server.url)
    begin_the_next_version(page)
    upload_code(page, tmp_path / "bot.py", DIP_BUYER.replace("> 70", "> 75"))
    submit(page, "v1.1.0")
    trader.reload()
    expect(trader.get_by_role("heading", name="v1.1.0 is offered")).to_have_count(0)
    staff.goto(f"{live_server.url}/admin/bots/versiontoreview/")
    approve(staff, "Dip Buyer v1.1.0")

    trader.reload()
    expect(trader.get_by_role("heading", name="v1.1.0 is offered")).to_be_visible()
    capture(trader, "publishing", "offered")
    assert Subscription.objects.get(trader__username="bob").version == first
    trader.get_by_role("link", name="See what would change").click()
    expect(trader.get_by_role("heading", name="Move to another version")).to_be_visible()
    capture(trader, "publishing", "move")
    trader.get_by_role("button", name="Move to v1.1.0").click()
    expect(trader.get_by_text("Version: v1.1.0 instead of v1.0.0")).to_be_visible()
    subscription = Subscription.objects.get(trader__username="bob")
    assert (subscription.version.number, subscription.strategy_config) == ("v1.1.0", {"buy_below": 25})


def visitor(page: Page, *, is_plain: bool = False) -> Page:
    """Return a page of somebody else in the same browser."""
    assert page.context.browser
    size: ViewportSize = {"width": 1280, "height": 900}
    return page.context.browser.new_context(java_script_enabled=not is_plain, viewport=size).new_page()


def create_bot(page: Page) -> None:
    page.get_by_role("link", name="Publish a bot").click()
    page.get_by_role("link", name="Create a bot").click()
    page.get_by_label("Name", exact=True).fill("Dip Buyer")
    page.get_by_label("Tagline").fill("Buys dips.")
    page.wait_for_load_state()
    page.get_by_label("Description").press_sequentially("It **buys** dips.")
    expect(page.locator("#preview strong")).to_have_text("buys")
    page.get_by_label("1h", exact=True).check()
    page.get_by_role("button", name="Create the draft").click()


def write_in_the_editor(page: Page) -> None:
    page.wait_for_load_state()  # and the script that helps to write
    editor = page.get_by_label("Code of bot.py")
    editor.fill("")
    editor.press_sequentially("class Broken:\nx = 1")  # the new line is indented by itself
    expect(editor).to_have_value("class Broken:\n    x = 1")
    editor.press("Tab")
    expect(editor).to_have_value("class Broken:\n    x = 1    ")
    expect(page.locator(".editor-numbers")).to_have_text("1\n2")
    editor.press("Escape")
    editor.press("Tab")
    expect(page.get_by_role("button", name="Store the code")).to_be_focused()


def upload_code(page: Page, path: Path, code: str) -> None:
    path.write_text(code)
    page.get_by_label("A file with Python code").set_input_files(path)
    page.get_by_role("button", name="Upload as bot.py").click()
    expect(page.get_by_text("Stored.")).to_be_visible()


def upload_config(page: Page, path: Path) -> None:
    path.write_text('{"mean": 1}')
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_label("Kind").select_option("CONFIG")
    page.get_by_role("button", name="Upload the file").click()
    expect(page.get_by_role("cell", name=path.name, exact=True)).to_be_visible()


def submit(page: Page, number: str) -> None:
    """Hand the draft in and wait until the worker has checked it."""
    page.get_by_text("Submit…").click()
    page.get_by_role("button", name=f"Submit {number}").click()
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    expect(page.get_by_text("Waiting for review", exact=True)).to_be_visible(timeout=CHECKED_MILLISECONDS)


def subscribe(page: Page) -> None:
    page.get_by_role("link", name="Dip Buyer").click()
    page.get_by_role("link", name="Subscribe", exact=True).click()
    page.get_by_role("button", name="Review the proposed settings").click()
    page.get_by_role("link", name="Change parameters").click()
    page.get_by_label("Buy below").fill("25")
    page.get_by_role("button", name="Back to the review").click()
    page.get_by_role("button", name="Start", exact=True).click()


def begin_the_next_version(page: Page) -> None:
    page.get_by_role("link", name="Dip Buyer").click()
    page.get_by_role("link", name="Look after it").click()
    expect(page.get_by_text("Listed", exact=True)).to_be_visible()
    page.get_by_role("link", name="New version").click()
    page.get_by_label("v1.1.0: something new").check()
    page.get_by_role("button", name="Start the draft").click()
    expect(page.get_by_role("cell", name="scaler.json", exact=True)).to_be_visible()  # as v1.0.0 has it


def approve(page: Page, version: str) -> None:
    page.get_by_role("link", name=version).click()
    page.get_by_role("form", name="Approve").get_by_role("button", name="Approve").click()
    expect(page.get_by_text("It is in the audit log.")).to_be_visible()


def test_an_upload_that_is_refused_says_why_and_can_be_tried_again(
    quiet_page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    told = {"tagline": "x", "description": "x", "category": make_category()}
    bot = drafting.create_bot(developer=make_user("alice"), name="Dip Buyer", **told)
    draft = drafting.start_version(bot=bot, number="v1.0.0")
    sign_in(quiet_page, live_server.url, bot.developer)
    quiet_page.goto(live_server.url + draft.developers_url)
    file = quiet_page.get_by_label("A file with Python code")

    (tmp_path / "bot.py").write_text("def broken(:\n")
    file.set_input_files(tmp_path / "bot.py")
    quiet_page.get_by_role("button", name="Upload as bot.py").click()
    expect(quiet_page.locator(".upload-problems").first).to_contain_text("Line 1")

    (tmp_path / "bot.py").write_text(BUYING_BOT)
    file.set_input_files(tmp_path / "bot.py")
    quiet_page.get_by_role("button", name="Upload as bot.py").click()
    expect(quiet_page.get_by_text("Stored.")).to_be_visible()


def test_no_payload_runs_in_any_text_of_a_bot_and_a_version(page: Page, live_server: LiveServer) -> None:
    assert len(PAYLOADS) >= 100
    bot = make_hostile_bots()
    own = f"/developers/bots/{bot.slug}/"
    sign_in(page, live_server.url, bot.developer)
    page.add_init_script(WATCH)
    pages = range(1, 1 + Bot.objects.count() // 24)

    for address in (
        *(f"/?page={number}" for number in pages),
        *(f"/developers/?page={number}" for number in pages),
        *(f"/bots/{bot.slug}/", f"/bots/{bot.slug}/reviews/"),
        *(f"/bots/{bot.slug}/subscribe/parameters/", own, f"{own}edit/", f"{own}new/"),
        *(f"{own}v1.0.0/", f"{own}v1.0.0/code/", f"{own}v1.0.1/", f"{own}v1.0.1/since/v1.0.0/"),
    ):
        page.goto(live_server.url + address)
        expect(page.locator(".htmx-request")).to_have_count(0)
        if address == f"{own}v1.0.0/":
            expect(page.get_by_text("As traders see it")).to_be_visible()
        assert page.evaluate("seen") == [], address
        assert page.evaluate(ALONE) == [], address

    page.goto(f"{live_server.url}{own}v1.0.0/")
    for shown in (PAYLOADS[0], PAYLOADS[-1]):  # what is harmless is there to be read
        expect(page.get_by_text(shown).first).to_be_visible()


def test_a_payload_that_reached_a_page_would_be_seen(quiet_page: Page, live_server: LiveServer) -> None:
    quiet_page.add_init_script(WATCH)
    quiet_page.goto(live_server.url)
    write = "(html) => { document.querySelector('main').innerHTML = html; }"

    quiet_page.evaluate(write, f"<a href='javascript:{RUN}'>x</a>")
    assert quiet_page.evaluate(ALONE) != []

    quiet_page.evaluate(write, f"<img src=x onerror={RUN}>")
    assert quiet_page.evaluate(ALONE) != []
    expect(quiet_page.locator("html[data-violated]")).to_be_attached()
    assert "script-src-attr" in quiet_page.evaluate("seen")[0]


def make_hostile_bots() -> Bot:
    """Return a bot with all payloads in every text of it and its versions; each payload names one more."""
    together = "\n\n".join(PAYLOADS)
    markdown.check(together)  # or else it would be shown as plain text
    alice, category = make_user("alice"), make_category("<script>ran()</script>")
    make_market()
    facts: dict[str, Any] = {"developer": alice, "category": category, "state": "LISTED"}
    names = dict.fromkeys(payload[:80] for payload in PAYLOADS)
    bots = Bot.objects.bulk_create(
        Bot(name=name, slug=f"bot-{index}", tagline=name, description=name, **facts)
        for index, name in enumerate(names)
    )
    bot = bots[0]
    bot.description = together
    bot.save()
    BotVersion.objects.bulk_create(
        BotVersion(bot=each, number="v1.0.0", state="PUBLISHED", release_notes=together) for each in bots
    )
    SubscriberReview.objects.create(
        bot=bot,
        trader=make_user("bob"),
        version=bot.versions.get(),
        days=8,
        is_live=False,
        stars=1,
        text=together,
        answer=together,
        answered_at=timezone.now(),
    )
    fill(bot.versions.get(), together)
    draft = drafting.start_version(bot=bot, number="v1.0.1")
    draft.release_notes = together
    draft.save()
    storage.save_code(draft, together.replace("ran", "run").encode())
    return bot


def fill(version: BotVersion, together: str) -> None:
    declared = [
        Parameter(f"p{index}", "choice", payload, payload, choices=(payload, "x"), help_text=payload)
        for index, payload in enumerate(PAYLOADS)
    ]
    version.parameters = [parameter.to_dict() for parameter in declared]
    version.state_reason = together[:300]
    version.save()
    storage.save_code(version, together.encode())
    for index, payload in enumerate(PAYLOADS):
        Artifact.objects.create(
            version=version,
            kind="CONFIG",
            filename=payload[:200],
            framework=payload[:40],
            key=f"{index}",
            object_version=payload,
            sha256="0" * 64,
            size=1,
        )
    gate = GateRun.objects.create(
        version=version, state="FAILED", message=together, finished_at=timezone.now()
    )
    evidence = ("line", "code", "opened_at", "expected", "came", "message")
    GateStep.objects.bulk_create(
        GateStep(
            gate=gate,
            position=index,
            code=f"{index}{payload}"[:40],
            state="FAILED",
            sentence=payload,
            evidence=[dict.fromkeys(evidence, payload)],
        )
        for index, payload in enumerate(PAYLOADS)
    )
    Review.objects.create(version=version, reviewer=make_user("mona"), decision="REJECTED", note=together)
