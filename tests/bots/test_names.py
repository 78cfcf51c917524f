"""Names of bots, and what developers write about them: what looks alike, and what nobody sees."""

import pytest
from django.core.exceptions import ValidationError

from bots.facts import clean_line, clean_lines, clean_markdown, clean_timeframes, clean_trading_pairs
from bots.markdown import LONGEST, MarkdownError, render, render_or_escape
from bots.names import LONGEST_SKELETON, LONGEST_SLUG, clean_name, skeleton, slug_of

UNSEEN = ["\x00", "\ud800", "\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\x1b", "\ue000"]


@pytest.mark.parametrize(
    ("name", "looks_like"),
    [
        ("Βinance", "Binance"),  # Greek capital beta
        ("Сrosser", "Crosser"),  # Cyrillic es
        ("crοsser", "CROSSER"),  # Greek omicron
        ("bınance", "binance"),  # without its dot
        ("Ｒｓｉ Ｂｏｔ", "RSI Bot"),
        ("RSl Bot", "RSI Bot"),
        ("0range", "Orange"),
        ("Café-Bot", "cafe bot"),
        ("C++ Bot!", "c bot"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_that_look_alike_have_one_skeleton(name: str, looks_like: str) -> None:
    assert skeleton(clean_name(name)) == skeleton(clean_name(looks_like))


def test_names_that_differ_have_skeletons_that_differ() -> None:
    names = ["Calm Crosser", "Calm Crossers", "Dip Buyer", "Dip Buyer 2", "Орёл a", "Сокол a"]

    assert len({skeleton(name) for name in names}) == len(names)


def test_no_skeleton_is_longer_than_its_column() -> None:
    assert len(skeleton("ﷺ" * 80)) <= LONGEST_SKELETON
    assert len(slug_of("a" * 300)) == LONGEST_SLUG


@pytest.mark.parametrize("unseen", UNSEEN)
def test_no_text_keeps_a_character_that_nobody_sees(unseen: str) -> None:
    for clean in (clean_name, clean_line, clean_lines, clean_markdown):
        with pytest.raises(ValidationError, match="cannot be seen"):
            clean(f"Calm{unseen}Crosser")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../", "Орёл", "---", "__"])
def test_a_name_of_which_no_address_can_be_made_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="at least one letter"):
        clean_name(name)


def test_an_address_has_nothing_of_a_path_in_it() -> None:
    assert slug_of(clean_name("../admin")) == "admin"
    assert slug_of(clean_name("a/b\\c?d#e")) == "abcde"


def test_spaces_in_a_line_are_plain_and_single() -> None:
    assert clean_line("  Buys\u00a0\u3000 dips.\n") == "Buys dips."
    assert clean_lines("one\r\ntwo\rthree\tfour \n") == "one\ntwo\nthree\tfour"


def test_trading_pairs_and_timeframes_are_brought_into_one_form() -> None:
    assert clean_trading_pairs(["btc/usdt", "ETH/USDT", "BTC/USDT"]) == ["BTC/USDT", "ETH/USDT"]
    assert clean_timeframes(["1h", "5m", "1h"]) == ["5m", "1h"]


@pytest.mark.parametrize("pair", ["BTC", "BTC/USDT; DROP", "btc-usdt", "<b>/USDT", "A" * 16 + "/USDT"])
def test_what_is_no_trading_pair_is_refused_by_name(pair: str) -> None:
    with pytest.raises(ValidationError, match="such as BTC/USDT"):
        clean_trading_pairs([pair])


@pytest.mark.parametrize("timeframe", ["1x", "7m", "", "0"])
def test_what_is_no_timeframe_is_refused_with_those_that_there_are(timeframe: str) -> None:
    with pytest.raises(ValidationError, match="among 1m, 5m"):
        clean_timeframes([timeframe])


# --- Markdown -----------------------------------------------------------------------------------------


def test_markdown_becomes_text_with_headings_lists_and_links() -> None:
    html = render("# How\n\n- **bold**\n\n[more](https://example.com) <https://example.org>\n\n> quoted")

    assert "<h3>How</h3>" in html
    assert "<li><strong>bold</strong></li>" in html
    assert '<a href="https://example.com" rel="nofollow ugc noopener">more</a>' in html
    assert '<a href="https://example.org" rel="nofollow ugc noopener">' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<style>*{display:none}</style>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt&colon;alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:x)",
        "[a](/admin/)",
        "[a](//evil.example)",
        "![a](https://example.com/pixel.png)",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
    ],
)
def test_markdown_has_no_html_of_its_own_no_picture_and_no_other_address(text: str) -> None:
    html = render(text)

    for tag in ("<script", "<img", "<svg", "<style", "<a "):
        assert tag not in html


@pytest.mark.parametrize(
    "text", ["[" * 100_000, ">" * 100_000, "> " * 50_000, "a" * (LONGEST + 1), "[" * 201]
)
def test_markdown_that_takes_long_is_refused_before_it_is_read(text: str) -> None:
    with pytest.raises(MarkdownError, match="Expected"):
        render(text)

    assert "<p>" in render_or_escape(text)
