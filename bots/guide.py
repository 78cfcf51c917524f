"""The developers' guide on our own pages: the same Markdown files that lie in `docs/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

from bots import markdown

FIRST = "developing_bots"
NAMES = (FIRST, "indicators", "code_policy", "runtime", "checks", "backtests", "metrics", "records", "api")


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    title: str
    html: SafeString

    @property
    def url(self) -> str:
        return _url(self.name)


def read(name: str) -> Page | None:
    """Return a page of the guide, or None when there is none of that name."""
    return _read(name) if name in NAMES else None


def pages() -> Sequence[Page]:
    """Return the pages that there are, the guide itself first."""
    return [page for page in map(_read, NAMES) if page]


@cache
def _read(name: str) -> Page | None:
    """Read once per process: the files come with the program."""
    path = settings.BASE_DIR / "docs" / f"{name}.md"
    if not path.exists():
        return None
    text = path.read_text()
    title = text.partition("\n")[0].removeprefix("# ")
    return Page(name, title, markdown.render_guide(text, link_to=_link))


def _link(target: str) -> str:
    """Return where a link in one of the files leads to here; one to another file leads to nowhere else."""
    parts = urlsplit(target)
    if parts.scheme or not parts.path:
        return target
    name = parts.path.removesuffix(".md")
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    return f"{_url(name)}{anchor}" if name in NAMES else _url(FIRST)


def _url(name: str) -> str:
    return reverse("bots:guide") if name == FIRST else reverse("bots:guide_page", args=[name])
