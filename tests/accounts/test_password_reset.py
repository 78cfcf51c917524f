import re

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a quite different battery"


def ask(client: Client, email: str) -> str:
    response = client.post("/accounts/password/reset/", {"email": email}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def without_nonces(html: str) -> str:
    return re.sub(r'(nonce|csrfmiddlewaretoken" value)="[^"]*"', "", html)


def mailed_link() -> str:
    found = re.search(r"https?://[^/]+(/\S+/)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def test_bob_chooses_a_new_password_by_mail(client: Client, bob: User) -> None:
    ask(client, "bob@example.com")
    opened = client.get(mailed_link(), follow=True)
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    done = client.post(opened.redirect_chain[-1][0], form, follow=True)

    bob.refresh_from_db()
    assert "Choose a new password" in opened.content.decode()
    assert "Password changed" in done.content.decode()
    assert bob.check_password(NEW_PASSWORD)


def test_the_mail_says_who_writes_and_what_for(client: Client, bob: User) -> None:
    ask(client, "bob@example.com")

    message = mail.outbox[0]
    assert message.to == ["bob@example.com"]
    assert "Reset your password" in message.subject
    assert "your account bob." in message.body
    assert "The link works once." in message.body
    assert "Bot Marketplace" in message.body


def test_an_unknown_address_gets_the_same_page(client: Client, bob: User) -> None:
    known = ask(client, "bob@example.com")
    unknown = ask(client, "nobody@example.com")

    assert without_nonces(known) == without_nonces(unknown)
    assert "There is no account with this address" in mail.outbox[1].body
    assert mail.outbox[1].to == ["nobody@example.com"]


def test_a_used_link_is_not_valid_and_leads_on(client: Client, bob: User) -> None:
    ask(client, "bob@example.com")
    bob.set_password(NEW_PASSWORD)
    bob.save()

    html = client.get(mailed_link(), follow=True).content.decode()

    assert "This link is not valid" in html
    assert 'href="/accounts/password/reset/"' in html


def test_a_weak_new_password_is_refused_at_its_field(client: Client, bob: User) -> None:
    ask(client, "bob@example.com")
    opened = client.get(mailed_link(), follow=True)
    form = {"password1": "12345678", "password2": "12345678"}
    html = client.post(opened.redirect_chain[-1][0], form).content.decode()

    bob.refresh_from_db()
    assert 'id="id_password1_error"' in html
    assert bob.check_password(PASSWORD)
