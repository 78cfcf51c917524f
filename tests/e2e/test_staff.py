"""What only a browser can tell of the way into the admin: it works under the policy, and texts stay texts."""

import re

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from marketplace import roles
from tests.e2e.conftest import capture
from tests.factories import PASSWORD, code_of, make_bot, make_staff

HOSTILE = '<img src=x onerror="document.title=1"><b x-init="document.title=1">'


def test_a_moderator_sets_up_an_app_and_reads_a_hostile_name_as_text(
    page: Page, transactional_db: None, live_server: LiveServer
) -> None:
    make_bot(name=HOSTILE, tagline=HOSTILE)
    make_staff("nina", roles.MODERATOR)

    page.goto(f"{live_server.url}/admin/")
    page.get_by_label(re.compile("username", re.IGNORECASE)).fill("nina")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)  # asked for again before anything is set up
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    capture(page, "staff", "second-factor")
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code").fill(code_of(secret, seconds=15))
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".recovery-codes code")).to_have_count(10)
    recovery_code = page.locator(".recovery-codes code").first.inner_text()
    page.get_by_role("link", name="To the administration").click()
    page.get_by_label("Code").fill(recovery_code)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Bots", exact=True).last.click()

    expect(page.locator("#result_list")).to_contain_text(HOSTILE)
    capture(page, "staff", "list")
    expect(page).to_have_title(re.compile("Select bot"))
