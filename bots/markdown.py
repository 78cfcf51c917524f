"""Markdown as HTML: what developers write about their bots, which is hostile, and our own guide for them.

A developer's text becomes HTML without any HTML of its own, pictures or addresses but http(s) and mailto, and
is then cleaned by an allow-list. The parser takes time in proportion to the text, but some texts take it
long: the limits on length and brackets hold any text that passes to about a tenth of a second.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import escape, linebreaks
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

LONGEST = 10_000  # characters
MOST_BRACKETS = 200  # opening ones: each may begin a link, which is what takes the parser long
DEEPEST_QUOTE = 20
MOST_REMEMBERED = 512  # texts per process, with their HTML

_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_QUOTES = re.compile(r"^[ \t]*((?:>[ \t]*)+)", re.MULTILINE)
_TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "blockquote", "ul", "ol", "li", "a", "code", "pre"),
    *("h3", "h4", "h5", "h6"),
}


class MarkdownError(ValueError):
    """A text that takes too long to read; the message says what was expected."""


def check(text: str) -> None:
    """Raise MarkdownError for a text that is too long or nested too deeply to be rendered in bounded time."""
    if len(text) > LONGEST:
        raise MarkdownError(f"Expected at most {LONGEST:,} characters, got {len(text):,}. Shorten the text.")
    brackets = text.count("[")
    if brackets > MOST_BRACKETS:
        raise MarkdownError(f"Expected at most {MOST_BRACKETS} opening brackets [, got {brackets:,}.")
    deepest = max((found[1].count(">") for found in _QUOTES.finditer(text)), default=0)
    if deepest > DEEPEST_QUOTE:
        raise MarkdownError(f"Expected quotes nested at most {DEEPEST_QUOTE} deep, got {deepest:,}.")


def render(text: str) -> SafeString:
    """Return a developer's text as safe HTML, with headings from h3 on. Raises MarkdownError as `check`."""
    check(text)
    return mark_safe(  # noqa: S308 - nh3 has cleaned it by an allow-list
        nh3.clean(
            _developers.render(text),
            tags=_TAGS,
            attributes={"a": {"href", "title"}, "ol": {"start"}},
            url_schemes={"http", "https", "mailto"},
            url_relative="deny",
            link_rel="nofollow ugc noopener",
        )
    )


@lru_cache(maxsize=MOST_REMEMBERED)
def render_or_escape(text: str) -> SafeString:
    """As `render`; a text that would take too long becomes plain paragraphs. Remembered by the text."""
    try:
        return render(text)
    except MarkdownError:
        return mark_safe(linebreaks(text, autoescape=True))  # noqa: S308 - escaped


def render_guide(text: str, *, link_to: Callable[[str], str]) -> SafeString:
    """Return a page of our own documentation as HTML, its headings with the anchors that they have on GitHub.

    `link_to` gives the address for that of another page, such as `indicators.md#trend`.
    """
    return mark_safe(str(_guide.render(text, {"link_to": link_to})))  # noqa: S308 - our own


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lower_headings(state: StateCore) -> None:
    """The page has h1 and h2 of its own."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"


def _anchors(state: StateCore) -> None:
    for opening, content in zip(state.tokens, state.tokens[1:], strict=False):
        if opening.type == "heading_open":
            spoken = "".join(each.content for each in content.children or ())
            opening.attrSet("id", anchor_of(spoken))


def _links(state: StateCore) -> None:
    for block in state.tokens:
        for token in block.children or ():
            if token.type == "link_open":
                token.attrSet("href", state.env["link_to"](str(token.attrGet("href"))))


def _reachable_tables(state: StateCore) -> None:
    """A table scrolls on a narrow screen, which has to work from the keyboard."""
    for token in state.tokens:
        if token.type == "table_open":
            token.attrSet("tabindex", "0")


def _only_words(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Show of a picture what it says in words."""
    return escape(self.renderInlineAsText(tokens[index].children, options, env))


def _colored(code: str, language: str, _attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""  # the parser then escapes it
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def _developers_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    parser.validateLink = lambda url: bool(_ADDRESS.match(url))  # type: ignore[method-assign]
    parser.add_render_rule("image", _only_words)
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


def _guide_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "highlight": _colored}).enable("table")
    parser.core.ruler.push("anchors", _anchors)
    parser.core.ruler.push("links", _links)
    parser.core.ruler.push("reachable_tables", _reachable_tables)
    return parser


_developers = _developers_parser()
_guide = _guide_parser()
