import re
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bot_sdk.parameters import Parameter
from bots.models import Bot, BotVersion, GateRun, GateStep, Review
from bots.publishing import publish_version
from tests.factories import make_bot, make_category, sign_in_staff

pytestmark = pytest.mark.django_db

# the page's cards, and the categories with their counts
CATALOGUE_QUERIES = 2
COUNT_OF_A_PART = 1
# the bot, its versions, its checks and who approved it
BOT_QUERIES = 4


def page(client: Client, address: str, **query: str | list[str]) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def names(html: str) -> list[str]:
    return re.findall(r'card-link-cover" href="[^"]*">([^<]*)', html)


def test_a_visitor_sees_each_bot_with_version_developer_and_price(client: Client, alice: User) -> None:
    make_bot(alice, name="Calm Crosser", price_per_month=Decimal("29.50"))

    html = page(client, "/")

    assert "Calm Crosser" in html
    assert "by alice · v1.0.0" in html
    assert "29.50\N{NO-BREAK SPACE}USD" in html


def test_a_bot_without_a_price_is_called_free(client: Client, alice: User) -> None:
    make_bot(alice)

    assert "<strong>Free" in page(client, "/")


@pytest.mark.parametrize("state", [Bot.State.DRAFT, Bot.State.SUSPENDED, Bot.State.RETIRED])
def test_a_bot_that_is_not_listed_is_nowhere(client: Client, alice: User, state: Bot.State) -> None:
    bot = make_bot(alice, name="Hidden Hand")
    Bot.objects.update(state=state)

    assert "Hidden Hand" not in page(client, "/")
    assert client.get(bot.get_absolute_url()).status_code == 404


def test_a_bot_whose_only_version_was_pulled_is_nowhere(client: Client, alice: User) -> None:
    bot = make_bot(alice, name="Hidden Hand")
    BotVersion.objects.update(state=BotVersion.State.PULLED)

    assert "Hidden Hand" not in page(client, "/")
    assert client.get(bot.get_absolute_url()).status_code == 404


def test_a_category_narrows_the_list(client: Client, alice: User) -> None:
    make_bot(alice, name="Calm Crosser", category=make_category("Trend"))
    make_bot(alice, name="Band Bouncer", category=make_category("Mean reversion"))

    html = page(client, "/", category="mean-reversion")

    assert "Band Bouncer" in html
    assert "Calm Crosser" not in html


def test_an_unknown_category_is_named_and_shows_no_bots(client: Client, alice: User) -> None:
    make_bot(alice, name="Calm Crosser")

    html = page(client, "/", category="<b>nope")

    assert "There is no category “&lt;b&gt;nope” with bots in it." in html
    assert "Calm Crosser" not in html


@pytest.mark.parametrize("words", ["crosser", "AVERAGES slow", "alice calm", "calm momentm"])
def test_search_finds_every_word_in_name_text_category_or_developer(
    client: Client, alice: User, words: str
) -> None:
    momentum = make_category("Momentum")
    make_bot(alice, name="Calm Crosser", description="Compares slow and fast averages.", category=momentum)
    make_bot(name="Band Bouncer")

    html = page(client, "/", q=words)

    assert "Calm Crosser" in html
    assert "Band Bouncer" not in html
    assert "1 bot found" in html


@pytest.mark.parametrize("words", ["crossar", "calm croser", "crosing averges", "alixe"])
def test_search_forgives_typing_errors(client: Client, alice: User, words: str) -> None:
    make_bot(alice, name="Calm Crosser", tagline="Trades crossing averages.")
    make_bot(name="Band Bouncer", tagline="Buys at the lower band.")

    html = page(client, "/", q=words)

    assert "Calm Crosser" in html
    assert "Band Bouncer" not in html


def test_what_is_found_by_its_name_comes_before_what_merely_mentions_the_word(client: Client) -> None:
    for name, tagline, description in (
        ("Alpha", "Buys and sells.", "Uses momentum of the market."),
        ("Beta", "Follows momentum.", "Buys low."),
        ("Momentum Rider", "Buys and sells.", "Buys low."),
    ):
        make_bot(name=name, tagline=tagline, description=description)

    assert names(page(client, "/", q="momentum of the")) == ["Momentum Rider", "Beta", "Alpha"]


def test_each_filter_narrows_the_list(client: Client, alice: User) -> None:
    make_bot(alice, name="Any", price_per_month=Decimal(40))
    make_bot(alice, name="Choosy", trading_pairs=["BTC/USDT"], timeframes=["1h"], bot_type=Bot.Type.ML)

    assert names(page(client, "/", type="ML")) == ["Choosy"]
    assert names(page(client, "/", pair="eth-usdt")) == ["Any"]
    assert names(page(client, "/", pair="btc/usdt", timeframe="1h")) == ["Any", "Choosy"]
    assert names(page(client, "/", timeframe="1d")) == ["Any"]
    assert names(page(client, "/", price_from="1")) == ["Any"]
    assert names(page(client, "/", price_to="0")) == ["Choosy"]


def test_the_list_narrows_by_what_was_measured_and_where_a_bot_can_trade(client: Client, alice: User) -> None:
    make_bot(alice, name="New", worst_drawdown_percent=4.0, exchanges=["BINANCE"])
    make_bot(
        alice, name="Old", worst_drawdown_percent=12.5, days_on_paper=90, exchanges=["BINANCE", "KRAKEN"]
    )
    make_bot(alice, name="Unmeasured")

    assert names(page(client, "/", days="60")) == ["Old"]
    assert names(page(client, "/", drawdown="12.5")) == ["New", "Old"]
    assert names(page(client, "/", drawdown="5")) == ["New"]
    assert names(page(client, "/", exchange="KRAKEN")) == ["Old"]
    assert names(page(client, "/", exchange="COINBASE", days="1")) == []


def test_the_list_is_sorted_as_asked(client: Client, alice: User) -> None:
    make_bot(alice, name="Old and dear", price_per_month=Decimal(40))
    make_bot(alice, name="New and cheap", price_per_month=Decimal(5))

    assert names(page(client, "/", sort="name")) == ["New and cheap", "Old and dear"]
    assert names(page(client, "/", sort="newest")) == ["New and cheap", "Old and dear"]
    assert names(page(client, "/", sort="price")) == ["New and cheap", "Old and dear"]
    assert names(page(client, "/", sort="-price")) == ["Old and dear", "New and cheap"]


@pytest.mark.parametrize(
    "query",
    [
        {"type": "MAGIC"},
        {"pair": "<b>"},
        {"timeframe": "7m"},
        {"price_from": "free"},
        {"price_from": "5", "price_to": "4"},
        {"sort": "luck"},
        {"exchange": "MT_GOX"},
        {"days": "0"},
        {"drawdown": "101"},
        {"q": "a b c d e f g h i"},
    ],
)
def test_a_filter_that_cannot_be_is_named_and_shows_no_bots(
    client: Client, alice: User, query: dict[str, str]
) -> None:
    make_bot(alice, name="Calm Crosser")

    html = page(client, "/", **query)

    assert f'id="id_{[*query][-1]}_error"' in html
    assert "Calm Crosser" not in html


def test_htmx_gets_the_list_alone_and_an_address_that_says_what_is_asked(client: Client, alice: User) -> None:
    make_bot(alice, name="Calm Crosser")

    answer = client.get("/", {"q": "calm", "type": "", "sort": "newest"}, headers={"HX-Target": "bots"})

    html = answer.content.decode()
    assert names(html) == ["Calm Crosser"]
    assert "<html" not in html
    assert answer["HX-Replace-Url"] == "?q=calm&sort=newest"
    assert "HX-Target" in answer["Vary"]


def test_a_search_within_a_category_keeps_the_category(client: Client, alice: User) -> None:
    make_bot(alice, name="Calm Crosser", category=make_category("Trend"))
    make_bot(alice, name="Calm Bouncer", category=make_category("Mean reversion"))

    html = page(client, "/", q="calm", category="trend")

    assert "Calm Crosser" in html
    assert "Calm Bouncer" not in html
    assert '<input type="hidden" name="category" id="id_category" value="trend"' in html


@pytest.mark.parametrize("words", ["nul\x00", "x" * 81])
def test_a_search_that_cannot_be_is_answered_at_the_field(client: Client, alice: User, words: str) -> None:
    make_bot(alice, name="Calm Crosser")

    html = page(client, "/", q=words)

    assert 'aria-invalid="true"' in html
    assert 'id="id_q_error"' in html
    assert "Calm Crosser" not in html


def test_a_search_without_result_leads_back_to_all_bots(client: Client, alice: User) -> None:
    make_bot(alice)

    html = page(client, "/", q="unheard of")

    assert "No bot matches" in html
    assert "Show all bots" in html


def test_an_empty_marketplace_says_so(client: Client) -> None:
    assert "No bots yet" in page(client, "/")


def test_the_catalogue_asks_the_database_as_often_for_thirty_bots_as_for_one(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_bot(alice, name="A bot that comes first", days_on_paper=9, exchanges=["KRAKEN"])
    with django_assert_num_queries(CATALOGUE_QUERIES + COUNT_OF_A_PART):
        client.get(
            "/", {"q": "buys", "pair": "BTC/USDT", "sort": "newest", "exchange": "KRAKEN", "days": "9"}
        )

    for _ in range(29):
        publish_version(bot=make_bot(alice), number="v1.1.0", code="")

    with django_assert_num_queries(CATALOGUE_QUERIES):
        html = client.get("/").content.decode()
    assert html.count("v1.1.0") == html.count("bot-card-tagline") - 1 == 23


def test_the_second_page_has_the_rest_and_keeps_the_search(client: Client, alice: User) -> None:
    for number in range(25):
        make_bot(alice, name=f"Crosser {number:02}")

    first = page(client, "/", q="crosser")
    second = page(client, "/", q="crosser", page="2")

    assert 'href="?q=crosser&amp;page=2"' in first
    assert "Crosser 24" not in first
    assert "Crosser 24" in second


def test_a_bots_page_tells_what_it_does_and_where_to_subscribe(client: Client, alice: User) -> None:
    bot = make_bot(alice, name="Calm Crosser", tagline="Follows averages.")

    html = page(client, bot.get_absolute_url())

    assert "Follows averages." in html
    assert "<p>Buys low.</p>" in html
    assert f'href="/bots/{bot.slug}/subscribe/"' in html
    assert "It never receives exchange keys." in html


def test_staff_who_do_not_trade_are_not_asked_to_subscribe(client: Client, mona: User) -> None:
    bot = make_bot()
    sign_in_staff(client, mona)

    assert "/subscribe/" not in page(client, bot.get_absolute_url())


def test_a_bots_page_lists_its_parameters_with_range_and_default(client: Client, alice: User) -> None:
    parameters = [
        Parameter("period", "integer", 14, "RSI period", minimum=2, maximum=100, help_text="In candles."),
        Parameter("epsilon", "number", 1e-7, minimum=1e-9),
        Parameter("mode", "choice", "fast", choices=("fast", "slow")),
        Parameter("can_short", "boolean", True),
    ]
    bot = make_bot(alice, parameters=parameters)

    words = " ".join(page(client, bot.get_absolute_url()).split())

    assert "RSI period" in words and "In candles." in words
    for text in ("2 to 100", "0.000000001 or more", "0.0000001<", "fast, slow", "on or off"):
        assert text in words


def test_a_bot_without_parameters_says_so(client: Client, alice: User) -> None:
    bot = make_bot(alice)

    assert "no parameters of its own" in page(client, bot.get_absolute_url())


def test_what_a_developer_writes_is_text_and_never_markup(client: Client, alice: User) -> None:
    hostile = "<script>alert(1)</script>"
    label = Parameter("period", "integer", 1, hostile, help_text=hostile)
    bot = make_bot(alice, name=hostile, tagline=hostile, description=hostile, parameters=[label])
    BotVersion.objects.update(release_notes=hostile)

    assert hostile not in page(client, "/")
    assert hostile not in page(client, bot.get_absolute_url())


def test_a_bots_page_shows_the_newest_version_and_no_pulled_one(client: Client, alice: User) -> None:
    bot = make_bot(alice)
    publish_version(bot=bot, number="v1.1.0", code="", release_notes="Fewer false starts.")
    pulled = publish_version(bot=bot, number="v2.0.0", code="", release_notes="Broken.")
    BotVersion.objects.filter(pk=pulled.pk).update(state=BotVersion.State.PULLED, created_at=timezone.now())

    html = page(client, bot.get_absolute_url())

    assert "<dd>v1.1.0</dd>" in html
    assert "Fewer false starts." in html
    assert "v2.0.0" not in html


def test_a_bots_page_asks_the_database_as_often_for_many_versions(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bot = make_bot(alice)
    for minor in range(1, 6):
        publish_version(bot=bot, number=f"v1.{minor}.0", code="")

    with django_assert_num_queries(BOT_QUERIES):
        client.get(bot.get_absolute_url())


def test_a_bots_page_shows_what_was_checked_and_that_a_person_looked(
    client: Client, alice: User, mona: User
) -> None:
    bot = make_bot(alice)
    assert "Not checked automatically" in page(client, bot.get_absolute_url())
    version = BotVersion.objects.get()
    gate = GateRun.objects.create(version=version)
    assert "Being checked." in page(client, bot.get_absolute_url())
    GateRun.objects.update(state="PASSED", finished_at=timezone.now())
    GateStep.objects.create(gate=gate, position=0, code="look_ahead", state="PASSED")
    Review.objects.create(version=version, reviewer=mona, decision="APPROVED", note="Fine.")

    html = page(client, bot.get_absolute_url())

    assert "v1.0.0 passed our automatic checks" in html
    assert "It does not look ahead" in html
    assert "a person looked at it" in html
    assert "mona" not in html
    assert "Fine." not in html


def test_up_to_four_bots_stand_side_by_side_as_the_address_names_them(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for slug in "abcde":
        make_bot(alice, name=f"Bot {slug}", slug=slug, tagline="<b>bold")

    with django_assert_num_queries(1):
        html = page(client, "/compare/", bot=["c", "a"])
    assert html.index("Bot c") < html.index("Bot a")
    assert "Bot b" not in html
    assert "<b>bold" not in html

    html = page(client, "/compare/", bot=[*"abcde"])
    assert "Bot d" in html
    assert "Bot e" not in html
    assert "Up to 4 bots" in html


@pytest.mark.parametrize("slug", ["unheard-of", "<b>", "nul\x00"])
def test_a_comparison_leaves_out_what_is_not_listed(client: Client, alice: User, slug: str) -> None:
    make_bot(alice, name="Calm Crosser", slug="calm")

    html = page(client, "/compare/", bot=["calm", slug])

    assert "Calm Crosser" in html
    assert "not listed any more" in html


def test_a_comparison_of_nothing_leads_to_the_catalogue(client: Client) -> None:
    assert "No bots chosen" in page(client, "/compare/")


def test_a_developers_page_keeps_what_is_retired_and_hides_what_was_never_published(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    backtest = {"kind": "BACKTEST", "days": 365, "return_percent": -31.5}
    line = backtest | {"version": "v1.0.0", "line": [1.0, 0.7], "beside": None}
    make_bot(alice, name="Calm Crosser")
    make_bot(alice, name="Old <b>Loser", state=Bot.State.RETIRED, record=line)
    make_bot(alice, name="Hidden Hand", state=Bot.State.SUSPENDED)
    pulled = make_bot(alice, name="Taken <b>Off")
    pulled.versions.update(state=BotVersion.State.PULLED)
    make_bot(name="Band Bouncer")

    with django_assert_num_queries(2):
        html = page(client, "/developers/by/alice/")

    assert html.index("Calm Crosser") < html.index("Old &lt;b&gt;Loser")
    assert "31.50" in html
    assert "Retired" in html and "not offered now" in html
    assert "Taken &lt;b&gt;Off" in html and pulled.get_absolute_url() not in html
    assert "Hidden Hand" not in html
    assert "Band Bouncer" not in html


@pytest.mark.parametrize("username", ["bob", "nobody", "%00", "%3Cb%3E"])
def test_whoever_has_published_nothing_has_no_page(client: Client, bob: User, username: str) -> None:
    assert client.get(f"/developers/by/{username}/").status_code == 404


def test_the_pages_only_answer_reading_requests(client: Client, alice: User) -> None:
    bot = make_bot(alice)

    assert client.post("/").status_code == 405
    assert client.post(bot.get_absolute_url()).status_code == 405
