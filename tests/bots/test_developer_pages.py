"""A developer's pages: what they show and take, and that they are nobody else's."""

import re
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bot_sdk.gate_steps import GATE_STEPS
from bot_sdk.parameters import Parameter
from bots import drafting, publishing, storage, uploads
from bots.history import history_of
from bots.models import Bot, BotVersion, GateRun, GateStep, Review
from bots.reading import MOST_LINES_COMPARED
from marketplace.roles import FINANCE, MODERATOR, OPERATOR
from tests.factories import (
    BUYING_BOT,
    make_bot,
    make_category,
    make_staff,
    make_subscription,
    sign_in_staff,
)

pytestmark = pytest.mark.django_db

HOME, NEW = "/developers/", "/developers/new/"
BOT = "/developers/bots/calm-crosser/"
DRAFT = f"{BOT}v1.0.0/"
State = BotVersion.State

# session, person, the page's count and its rows
HOME_QUERIES = 4
# session, person, bot with category, versions, whether staff judged one
BOT_QUERIES = 5


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def bot(alice: User) -> Bot:
    told = {"tagline": "Crosses.", "description": "Calmly.", "category": make_category()}
    return drafting.create_bot(developer=alice, name="Calm Crosser", **told)


@pytest.fixture
def draft(bot: Bot) -> BotVersion:
    version = drafting.start_version(bot=bot, number="v1.0.0", release_notes="The *first*.")
    uploads.put_code(version=version, content=BUYING_BOT.encode())
    return version


def in_state(version: BotVersion, state: State) -> BotVersion:
    BotVersion.objects.filter(pk=version.pk).update(state=state)
    version.refresh_from_db()
    return version


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def bare(response: Any) -> str:
    """Return the answer without what is another each time."""
    return re.sub(r'(nonce|name="csrfmiddlewaretoken" value)="[^"]+"', "", response.content.decode())


def form_of_bot(**overrides: Any) -> dict[str, Any]:
    return {
        "name": "Calm Crosser",
        "tagline": "Crosses averages.",
        "description": "# How\n\n**Calmly.**",
        "bot_type": "TECHNICAL",
        "category": make_category().pk,
        "price_per_month": "29.50",
        "trial_days": "7",
        "trading_pairs": "btc/usdt, ETH/USDT",
        "timeframes": ["1h", "5m"],
        "promised_trades_per_week": "3",
        "promised_max_drawdown_percent": "",
    } | overrides


# --- whose they are -----------------------------------------------------------------------------------

READ = ("", "gate/", "code/", "package.zip", "since/v1.0.0/", "form/")
CHANGED = (
    *("code/write/", "code/upload/", "models/upload/", "package/upload/", "files/1/remove/", "notes/"),
    *("submit/", "discard/", "withdraw/", "retire/", "offer/", "roll-back/"),
)
ASKED: list[tuple[str, str]] = [
    *(("get", f"{DRAFT}{each}") for each in READ),
    *(("post", f"{DRAFT}{each}") for each in CHANGED),
    *(("get", BOT), ("get", f"{BOT}edit/"), ("post", f"{BOT}edit/"), ("get", f"{BOT}new/")),
    *(("post", f"{BOT}new/"), ("post", f"{BOT}retire/"), ("post", f"{BOT}delete/")),
]


def test_whoever_is_not_signed_in_is_asked_to(client: Client, draft: BotVersion) -> None:
    for method, address in [*ASKED, ("get", HOME), ("get", NEW), ("post", NEW)]:
        response = getattr(client, method)(address)

        assert response.status_code == 302, address
        assert response.headers["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("who", ["trader", "developer", "moderator"])
def test_somebody_elses_bot_is_as_if_it_were_not_there(
    client: Client, draft: BotVersion, bob: User, who: str
) -> None:
    make_bot(bob, name="Other Bot", slug="other-bot")
    if who == "trader":
        make_subscription(bob, bot=make_bot())
    if who == "moderator":
        User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    client.force_login(bob)

    for method, address in ASKED:
        theirs = getattr(client, method)(address)
        missing = getattr(client, method)(address.replace("calm-crosser", "no-such-bot"))
        assert theirs.status_code == missing.status_code == 404, address
        assert bare(theirs) == bare(missing)

    assert BotVersion.objects.get(pk=draft.pk).state == State.DRAFT
    assert draft.artifacts.count() == 1


def test_what_is_no_version_number_and_no_bots_address_leads_nowhere(
    browser: Client, draft: BotVersion
) -> None:
    for number in ("v1", "v1.0", "v01.0.0", "v1.0.0%00", "1.0.0", "v1.0.9999999", ".", "..%2f"):
        assert browser.get(f"{BOT}{number}/").status_code == 404
    for slug in ("x" * 300, "..", "../admin", "%00", "é"):
        assert browser.get(f"/developers/bots/{slug}/").status_code == 404


def test_each_address_takes_its_own_methods_only(browser: Client, draft: BotVersion) -> None:
    for each in CHANGED:
        assert browser.get(f"{DRAFT}{each}").status_code == 405
    for each in READ:
        assert browser.post(f"{DRAFT}{each}").status_code == 405


def test_the_public_page_of_a_draft_is_its_developers_and_as_if_not_there_for_others(
    client: Client, draft: BotVersion, alice: User, bob: User
) -> None:
    for person in (None, bob):
        if person:
            client.force_login(person)
        response = client.get("/bots/calm-crosser/")
        assert response.status_code == 404
        assert bare(response) == bare(client.get("/bots/no-such-bot/"))

    client.force_login(alice)
    html = page(client, "/bots/calm-crosser/")
    assert "Only you and our staff see this page" in html
    assert "Subscribe</a>" not in html


@pytest.mark.parametrize(("role", "status"), [(MODERATOR, 200), (FINANCE, 404), (OPERATOR, 404)])
def test_the_public_page_of_a_draft_is_open_to_moderators_with_their_second_factor(
    client: Client, draft: BotVersion, role: str, status: int
) -> None:
    person = make_staff("mona", role)

    client.force_login(person)
    assert client.get("/bots/calm-crosser/").status_code == 404

    sign_in_staff(client, person)
    assert client.get("/bots/calm-crosser/").status_code == status


@pytest.mark.parametrize("state", [Bot.State.SUSPENDED, Bot.State.RETIRED])
def test_a_bot_that_left_the_catalogue_is_seen_by_its_developer_only(
    client: Client, browser: Client, bob: User, bot: Bot, state: Bot.State
) -> None:
    publishing.publish_version(bot=bot, number="v1.0.0", code=BUYING_BOT)
    Bot.objects.update(state=state)

    assert "Only you and our staff see this page" in page(browser, "/bots/calm-crosser/")
    client.force_login(bob)
    assert client.get("/bots/calm-crosser/").status_code == 404


# --- the list and a bot -------------------------------------------------------------------------------


def test_without_bots_the_list_leads_to_the_first(browser: Client) -> None:
    html = page(browser, HOME)

    assert "Publish your first bot" in html
    assert f'href="{NEW}"' in html
    assert f'href="{HOME}"' in page(browser, "/")


def test_the_list_shows_state_versions_subscribers_and_what_is_checked(
    browser: Client, bot: Bot, bob: User
) -> None:
    publishing.publish_version(bot=bot, number="v1.0.0", code=BUYING_BOT)
    make_subscription(bob, bot=bot)
    make_subscription(bob, bot=bot)
    make_subscription(bot=bot, state="STOPPED")
    in_state(drafting.start_version(bot=bot, number="v1.1.0"), State.CHECKING)

    html = page(browser, HOME)

    assert "Listed" in html
    assert "v1.0.0" in html
    assert f'<a href="{BOT}v1.1.0/">v1.1.0</a>' in html
    assert "Being checked" in html
    assert "1 version<" in html
    assert '<td data-label="Subscribers" class="number">1</td>' in html


def test_the_lists_ask_as_often_for_many_as_for_one(
    browser: Client, alice: User, bot: Bot, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        drafting.start_version(bot=bot, number=f"v1.{number}.0")
        make_subscription(bot=make_bot(alice))

    with django_assert_num_queries(HOME_QUERIES):
        page(browser, HOME)
    with django_assert_num_queries(BOT_QUERIES):
        page(browser, BOT)


def test_a_bot_is_created_from_its_form_and_leads_to_its_first_version(browser: Client) -> None:
    response = browser.post(NEW, form_of_bot())

    assert response.headers["Location"] == f"{BOT}new/"
    bot = Bot.objects.get()
    assert (bot.price_per_month, bot.trial_days) == (Decimal("29.50"), 7)
    assert (bot.trading_pairs, bot.timeframes) == (["BTC/USDT", "ETH/USDT"], ["5m", "1h"])
    assert (bot.promised_trades_per_week, bot.promised_max_drawdown_percent) == (3, None)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "Cal\u202em", "cannot be seen"),
        ("name", "nul\x00", "Null characters"),
        ("name", "zero\u200bwidth", "cannot be seen"),
        ("name", "..", "at least one letter"),
        ("name", "x" * 300, "at most 80 characters"),
        ("tagline", "x\u2066y", "cannot be seen (U+2066)"),
        ("description", "x\u202ey", "cannot be seen (U+202E)"),
        ("description", "[" * 100_000, "at most 10,000 characters"),
        ("description", ">" * 100_000, "at most 10,000 characters"),
        ("description", "[" * 9000, "at most 200 opening brackets"),
        ("price_per_month", "29,99", "Enter a number"),
        ("price_per_month", "-5", "greater than or equal to 0"),
        ("price_per_month", "0.001", "2 decimal places"),
        ("price_per_month", "1e9", "8 digits"),
        ("price_per_month", "NaN", "Enter a number"),
        ("trial_days", "91", "less than or equal to 90"),
        ("trading_pairs", "BTC/USDT; DROP", "such as BTC/USDT"),
        ("timeframes", ["7m"], "7m is not one of the available choices"),
        ("bot_type", "MAGIC", "MAGIC is not one of the available choices"),
        ("category", "0", "not one of the available choices"),
        ("promised_max_drawdown_percent", "100.1", "less than or equal to 100"),
    ],
)
def test_what_cannot_be_is_answered_with_400_at_its_field(
    browser: Client, field: str, typed: Any, said: str
) -> None:
    response = browser.post(NEW, form_of_bot(**{field: typed}))

    assert response.status_code == 400
    html = response.content.decode()
    assert said in html
    assert f'id="id_{field}_error"' in html
    assert not Bot.objects.exists()


def test_a_lone_surrogate_in_a_form_is_no_error_of_ours(browser: Client) -> None:
    body = b"name=Calm%ED%A0%80&tagline=x%ED%A0%80&description=x"

    response = browser.generic("POST", NEW, body, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 400


def test_a_name_that_looks_like_another_bots_is_answered_at_the_name(browser: Client, bob: User) -> None:
    drafting.create_bot(developer=bob, name="Binance", tagline="x", description="x", category=make_category())

    response = browser.post(NEW, form_of_bot(name="Βinance"))

    assert response.status_code == 400
    assert "or one that looks like it" in response.content.decode()


def test_a_form_cannot_set_what_is_not_on_it(browser: Client, bot: Bot) -> None:
    response = browser.post(
        f"{BOT}edit/", form_of_bot(name="Other", state="LISTED", slug="x", developer="1", tagline="New.")
    )

    assert response.status_code == 302
    bot.refresh_from_db()
    assert (bot.name, bot.slug, bot.state, bot.tagline) == ("Calm Crosser", "calm-crosser", "DRAFT", "New.")


def test_markdown_is_previewed_with_and_without_a_script(browser: Client) -> None:
    by_script = browser.post("/developers/preview/", {"description": "**bold** <b>"}).content.decode()
    assert "<strong>bold</strong> &lt;b&gt;" in by_script
    assert "at most 200" in browser.post("/developers/preview/", {"description": "[" * 900}).content.decode()

    response = browser.post(NEW, form_of_bot(description="*slant*", preview="1"))

    assert "<em>slant</em>" in response.content.decode()
    assert not Bot.objects.exists()


# --- a version ----------------------------------------------------------------------------------------


def test_a_version_is_started_with_a_suggested_number_and_earlier_files(
    browser: Client, draft: BotVersion
) -> None:
    html = page(browser, f"{BOT}new/")
    assert 'value="v1.0.1"' in html
    assert 'value="v2.0.0"' in html

    browser.post(f"{BOT}new/", {"number": "", "other_number": "v1.5.0", "copy_of": draft.pk})

    assert storage.read_code(BotVersion.objects.get(number="v1.5.0")) == BUYING_BOT


@pytest.mark.parametrize(("number", "said"), [("v1.0.0", "above v1.0.0"), ("../x", "v1.0.0"), ("", "blank")])
def test_a_number_that_cannot_be_is_answered_with_400(
    browser: Client, draft: BotVersion, number: str, said: str
) -> None:
    response = browser.post(f"{BOT}new/", {"number": "", "other_number": number})

    assert response.status_code == 400
    assert said in response.content.decode()


def test_no_version_begins_with_somebody_elses_files(browser: Client, draft: BotVersion) -> None:
    theirs = make_bot().versions.get()

    response = browser.post(f"{BOT}new/", {"number": "v1.0.1", "copy_of": theirs.pk})

    assert response.status_code == 400
    assert draft.bot.versions.count() == 1


def test_code_is_written_in_the_page_or_uploaded(browser: Client, draft: BotVersion) -> None:
    assert browser.post(f"{DRAFT}code/write/", {"code": "x = 1\r\n\r\n"}).status_code == 302
    assert storage.read_code(draft) == "x = 1\n\n"

    file = SimpleUploadedFile("whatever name; \n.py", BUYING_BOT.encode())
    assert browser.post(f"{DRAFT}code/upload/", {"code_file": file}).status_code == 302

    assert storage.read_code(draft) == BUYING_BOT


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"\xff\xfe\x00x", "UTF-8"), (b"def f(:\n", "Line 1"), (b"#" * (1 << 20), "256 KB")],
)
def test_code_that_cannot_be_is_answered_with_400_and_leaves_the_old(
    browser: Client, draft: BotVersion, content: bytes, said: str
) -> None:
    response = browser.post(f"{DRAFT}code/upload/", {"code_file": SimpleUploadedFile("bot.py", content)})

    assert response.status_code == 400
    assert said in response.content.decode()
    assert storage.read_code(draft) == BUYING_BOT


def test_what_was_written_and_refused_is_still_in_the_editor(browser: Client, draft: BotVersion) -> None:
    response = browser.post(f"{DRAFT}code/write/", {"code": "def broken(:\n"})

    assert response.status_code == 400
    assert "def broken(:" in response.content.decode()


def test_a_model_is_uploaded_shown_with_its_hash_and_removed(browser: Client, draft: BotVersion) -> None:
    file = SimpleUploadedFile("scaler.json", b'{"mean": 1}')
    browser.post(f"{DRAFT}models/upload/", {"model_file": file, "kind": "CONFIG", "framework": "sklearn"})
    artifact = draft.artifacts.get(kind="CONFIG")

    html = page(browser, DRAFT)

    size = "11\N{NO-BREAK SPACE}bytes"
    for shown in ("scaler.json", "sklearn", artifact.sha256, artifact.object_version, size):
        assert shown in html
    browser.post(f"{DRAFT}files/{artifact.pk}/remove/")
    assert draft.artifacts.count() == 1


def test_a_file_of_another_version_is_not_removed_here(browser: Client, draft: BotVersion) -> None:
    other = make_bot().versions.get().artifacts.get()

    assert browser.post(f"{DRAFT}files/{other.pk}/remove/").status_code == 404


def test_the_script_that_shows_progress_is_answered_in_json(browser: Client, draft: BotVersion) -> None:
    def send(name: str) -> Any:
        file = SimpleUploadedFile(name, b"{}")
        body = {"model_file": file, "kind": "CONFIG"}
        return browser.post(f"{DRAFT}models/upload/", body, headers={"Accept": "application/json"})

    assert send("a.json").json() == {"next": DRAFT}
    refused = send("a b'c.json")
    assert refused.status_code == 400
    assert "Rename the file" in refused.json()["problems"][0]


def test_one_file_is_downloaded_by_a_link_that_is_its_developers_alone(
    browser: Client, draft: BotVersion, client: Client, bob: User
) -> None:
    artifact = uploads.put_model(version=draft, kind="CONFIG", filename="a.json", content=b"{}")
    address = f"{DRAFT}files/{artifact.pk}/"
    assert address in page(browser, DRAFT)

    link = browser.get(address).headers["Location"]

    answer = browser.get(link)
    assert (answer.content, answer.headers["Content-Type"]) == (b"{}", "application/octet-stream")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.json"'
    other = Client()
    other.force_login(bob)
    assert [other.get(each).status_code for each in (address, link)] == [404, 404]


def test_a_package_that_was_downloaded_can_be_uploaded_again(browser: Client, draft: BotVersion) -> None:
    download: Any = browser.get(f"{DRAFT}package.zip")
    content = b"".join(download.streaming_content)
    assert download.headers["Content-Disposition"] == 'attachment; filename="calm-crosser-v1.0.0.zip"'
    assert "bot.py" in ZipFile(BytesIO(content)).namelist()
    uploads.put_code(version=draft, content=b"x = 1\n")

    file = SimpleUploadedFile("package.zip", content)
    assert browser.post(f"{DRAFT}package/upload/", {"package": file}).status_code == 302

    assert storage.read_code(draft) == BUYING_BOT
    broken = SimpleUploadedFile("package.zip", content[: len(content) // 2])
    assert browser.post(f"{DRAFT}package/upload/", {"package": broken}).status_code == 400


def test_files_of_a_submitted_version_are_answered_with_409(browser: Client, draft: BotVersion) -> None:
    browser.post(f"{DRAFT}submit/")

    response = browser.post(f"{DRAFT}code/write/", {"code": "x = 1\n"})

    assert response.status_code == 409
    assert "its files cannot change" in response.content.decode()
    assert storage.read_code(draft) == BUYING_BOT


@pytest.mark.parametrize(
    ("was", "address", "then"),
    [
        (State.DRAFT, "submit/", State.CHECKING),
        (State.IN_REVIEW, "withdraw/", State.WITHDRAWN),
        (State.PUBLISHED, "retire/", State.RETIRED),
        (State.RETIRED, "offer/", State.PUBLISHED),
        (State.RETIRED, "roll-back/", State.PUBLISHED),
        (State.REJECTED, "offer/", State.REJECTED),
        (State.PULLED, "roll-back/", State.PULLED),
        (State.QUARANTINED, "offer/", State.QUARANTINED),
        (State.PUBLISHED, "withdraw/", State.PUBLISHED),
        (State.CHECKING, "discard/", State.CHECKING),
    ],
)
def test_each_deed_is_done_from_its_own_states_and_told_otherwise(
    browser: Client, draft: BotVersion, was: State, address: str, then: State
) -> None:
    in_state(draft, was)

    response = browser.post(f"{DRAFT}{address}", follow=True)

    assert response.redirect_chain == [(DRAFT, 302)]
    assert BotVersion.objects.get().state == then
    assert ("alert-success" if then != was else "alert-danger") in response.content.decode()


def test_a_draft_is_discarded_and_leads_back_to_its_bot(browser: Client, draft: BotVersion) -> None:
    assert browser.post(f"{DRAFT}discard/").headers["Location"] == BOT
    assert not BotVersion.objects.exists()


def test_a_confirmation_says_what_happens_to_subscribers(browser: Client, bot: Bot, bob: User) -> None:
    publishing.publish_version(bot=bot, number="v1.0.0", code=BUYING_BOT)
    make_subscription(bob, bot=bot)

    assert "Its 1 subscriber keep it, and it goes on trading for them." in page(browser, DRAFT)
    assert "Its 1 subscriber keep the version that they have" in page(browser, BOT)


def make_gate(version: BotVersion, **steps: dict[str, Any]) -> GateRun:
    gate = GateRun.objects.create(version=version, state="RUNNING", started_at=timezone.now())
    for position, code in enumerate(GATE_STEPS, 1):
        GateStep.objects.create(gate=gate, code=code, position=position, **steps.get(code, {}))
    return gate


def test_the_report_shows_each_check_with_lines_and_how_to_mend(browser: Client, draft: BotVersion) -> None:
    in_state(draft, State.CHECKING)
    finding = {"line": 5, "code": "import", "message": "os is not allowed."}
    seen = {"opened_at": "2026-03-01T12:00:00+00:00", "expected": "HOLD", "came": "BUY"}
    make_gate(
        draft,
        source={"state": "PASSED", "sentence": "It can be read.", "finished_at": timezone.now()},
        policy={"state": "FAILED", "sentence": "It imports os.", "evidence": [finding]},
        look_ahead={"state": "ADVICE", "sentence": "It changed.", "evidence": [seen, {"opened_at": "never"}]},
    )

    html = page(browser, f"{DRAFT}gate/")

    assert "1 of 12 done" in html
    assert f'<a href="{DRAFT}code/#L5">Line 5</a>' in html
    assert GATE_STEPS["policy"].title in html
    assert f'href="/developers/guide/#{GATE_STEPS["policy"].guide}"' in html
    assert 'datetime="2026-03-01T12:00:00Z"' in html
    assert 'hx-trigger="every 2s, wake"' in html


def test_the_report_has_the_page_loaded_again_when_the_checks_are_over(
    browser: Client, draft: BotVersion
) -> None:
    make_gate(in_state(draft, State.FAILED))

    response = browser.get(f"{DRAFT}gate/")

    assert response.headers["HX-Refresh"] == "true"
    assert "every 2s" not in response.content.decode()


def test_the_history_tells_what_staff_decided_and_why(browser: Client, draft: BotVersion, mona: User) -> None:
    in_state(draft, State.REJECTED)
    Review.objects.create(
        version=draft, reviewer=mona, decision="REJECTED", reasons=["MISLEADING"], note="It does <b>not</b>."
    )

    html = page(browser, DRAFT)

    assert "Rejected by staff" in html
    assert "The description promises what the bot does not do" in html
    assert "It does &lt;b&gt;not&lt;/b&gt;." in html
    assert "mona" not in html


def withdrawn(version: BotVersion) -> None:
    storage.save_code(version, BUYING_BOT.encode())
    drafting.submit(version=version)
    drafting.withdraw(version=version)


def retired(version: BotVersion) -> None:
    publishing.publish(version=version, was=State.DRAFT)
    publishing.retire(version=version)


def quarantined(version: BotVersion) -> None:
    publishing.publish(version=version, was=State.DRAFT)
    publishing.quarantine(version, "It forked.")


@pytest.mark.parametrize("stop", [withdrawn, retired, quarantined], ids=lambda stop: stop.__name__)
def test_the_history_tells_when_a_version_was_stopped(
    draft: BotVersion, stop: Callable[[BotVersion], None]
) -> None:
    version = drafting.start_version(bot=draft.bot, number="v1.1.0")
    before = timezone.now()

    stop(version)

    version.refresh_from_db()
    last = history_of(version, None, [])[-1]
    assert last.at is not None
    assert last.at >= before


def test_the_code_has_a_number_and_an_anchor_at_each_line(browser: Client, draft: BotVersion) -> None:
    uploads.put_code(version=draft, content='x = "</span><script>"  # \u00e9\nif x:\n\tpass\n'.encode())

    html = page(browser, f"{DRAFT}code/")

    assert 'id="L3"' in html
    assert 'href="#L3"' in html
    assert "<script>&quot;" not in html
    assert "&lt;script&gt;" in html
    assert '<span class="k">if</span>' in html


def test_versions_are_compared_with_their_numbers(browser: Client, draft: BotVersion) -> None:
    newer = drafting.start_version(bot=draft.bot, number="v1.1.0", copy_of=draft)
    uploads.put_code(version=newer, content=BUYING_BOT.replace("always buys", "<b>buys</b>").encode())
    uploads.put_model(version=newer, kind="CONFIG", filename="a.json", content=b"{}")

    html = page(browser, f"{BOT}v1.1.0/since/v1.0.0/")

    assert "&lt;b&gt;buys&lt;/b&gt;" in html
    assert html.count("code-line code-added") == html.count("code-line code-removed") == 1
    assert "<strong>a.json</strong> added" in html
    assert "The code is the same" in page(browser, f"{DRAFT}since/v1.0.0/")


def test_what_is_too_long_to_be_compared_is_said_so(browser: Client, draft: BotVersion) -> None:
    newer = drafting.start_version(bot=draft.bot, number="v1.1.0", copy_of=draft)
    uploads.put_code(version=newer, content=b"\n" * MOST_LINES_COMPARED + b"x = 1\n")

    assert "Download both packages" in page(browser, f"{BOT}v1.1.0/since/v1.0.0/")


def test_parameters_are_shown_as_the_form_of_traders_which_sends_nothing(browser: Client, bot: Bot) -> None:
    declared = (Parameter("low", "integer", 30, "Oversold below", 1, 50, (), "Under this."),)
    publishing.publish_version(
        bot=bot, number="v1.0.0", code=BUYING_BOT, parameters=declared, risk_defaults={"stop_loss_percent": 5}
    )

    html = page(browser, f"{DRAFT}form/")

    assert "Oversold below" in html
    assert "From 1 to 50; default 30." in html
    assert "Stop loss" in html
    assert "Take profit" not in html
    assert html.count("<input") == html.count(" disabled ") == 2
    assert f'hx-get="{DRAFT}form/"' in page(browser, DRAFT)


def test_every_state_of_a_version_has_a_page(browser: Client, draft: BotVersion) -> None:
    for state in State:
        in_state(draft, state)
        assert state.label in page(browser, DRAFT)


# --- the guide ----------------------------------------------------------------------------------------


def test_the_guide_leads_from_page_to_page_within_the_product(client: Client) -> None:
    html = page(client, "/developers/guide/code_policy/")

    assert ".md" not in [link.split("#")[0][-3:] for link in html.split('href="')[1:]]
    assert '<h1 id="' in html
    for name in ("settings", "operating", "..", "code_policy.md"):
        assert client.get(f"/developers/guide/{name}/").status_code == 404


def test_the_guide_has_an_anchor_for_each_check(client: Client) -> None:
    html = page(client, "/developers/guide/")

    for step in GATE_STEPS.values():
        assert f'id="{step.guide}"' in html
