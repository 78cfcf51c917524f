"""An accessibility checker looks at every page of the product: nothing serious by WCAG 2.1, levels A and AA.

The pages are those of the role matrix, so that one without a row fails there, and one with a row is looked
at here. Each is seen by the first of VIEWERS to whom it is shown, light on a wide screen and dark on a phone,
and may not be wider than the screen.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.conftest import Theme, is_too_wide, show
from tests.marketplace.cast import Cast
from tests.marketplace.routes import rows

pytestmark = pytest.mark.django_db(transaction=True)

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
VIEWERS = ("TA", "DA", "MO", "OP", "SU", "AN")
LOOKS: tuple[tuple[int, Theme], ...] = ((1280, "light"), (390, "dark"))
SERIOUS = ("serious", "critical")
CHECK = """async () => {
  for (const each of document.getAnimations()) if (each instanceof CSSTransition) each.finish();
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
  const options = { runOnly: tags, resultTypes: ["violations"], preload: false };
  const { violations } = await axe.run(document, options);
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ target, failureSummary }) => ({ id, impact, target: target.join(" "), failureSummary })));
}"""
BROKEN = """() => {
  document.querySelector("main").innerHTML = '<img src="data:,"><input><p>Can you read this?</p>';
  document.querySelector("main p").style.color = "#bbb";
}"""
MORE = (("AN", "/"), ("AN", "/bots/steady/"), ("AN", "/no-such-page/"), ("MO", "/bots/steady/subscribe/"))


def pages(cast: Cast) -> Iterator[tuple[str, str]]:
    """Give each page's address once, with who sees it; fragments, files and JSON are none."""
    for row in rows():
        address = cast.address(row)
        for role in VIEWERS:
            if row.reads[role] in "2P":
                response = cast.ask(role, "GET", address)
                if response.response.status_code == 200 and "<html" in response.text:
                    yield role, address
                    break
    yield from (
        ("AN", "/"),
        ("AN", "/bots/steady/"),
        ("AN", "/no-such-page/"),
        ("MO", "/bots/steady/subscribe/"),
    )
    for name in ("bots_versiontoreview", "subscriptions_subscription", "accounts_user"):
        yield "SU", reverse(f"admin:{name}_changelist")
    yield "SU", reverse("admin:bots_versiontoreview_change", args=[cast.things["submitted"]["pk"]])
    yield "SU", reverse("admin:subscriptions_subscription_change", args=[cast.things["subscription"]["pk"]])


def found_on(page: Page) -> list[dict[str, Any]]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(CHECK)
    return [each for each in found if each["impact"] in SERIOUS]


def test_no_page_has_a_serious_fault(quiet_page: Page, live_server: LiveServer) -> None:
    cast = Cast(has_given_password=True)
    wrong = []

    for role, address in pages(cast):
        quiet_page.context.clear_cookies()
        if role in cast.sessions:
            cookie = {"name": "sessionid", "value": cast.sessions[role], "url": live_server.url}
            quiet_page.context.add_cookies([cookie])  # type: ignore[list-item]
        quiet_page.emulate_media(color_scheme="light")
        quiet_page.goto(live_server.url + address)
        for width, theme in LOOKS:
            show(quiet_page, width=width, theme=theme)
            expect(quiet_page.locator(".htmx-request")).to_have_count(0)
            told = f"{address} as {role}, {width} px, {theme}"
            wrong += [
                f"{told}: {each['id']} at {each['target']}: {each['failureSummary']}"
                for each in found_on(quiet_page)
            ]
            if is_too_wide(quiet_page):
                wrong.append(f"{told}: wider than the screen")

    assert not wrong, "\n".join(wrong)


def test_the_checker_notices_what_is_wrong(quiet_page: Page, live_server: LiveServer) -> None:
    """The control arm."""
    quiet_page.goto(live_server.url + reverse("account_login"))
    quiet_page.evaluate(BROKEN)

    assert {each["id"] for each in found_on(quiet_page)} >= {"color-contrast", "image-alt", "label"}
