"""Nobody sees or changes what is another's: every address × every role × every method, by a table (I19).

The walk goes through Django's resolver, so a new address fails here until `routes.py` says what each role is
answered there. Each request is undone before the next one.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.apps import apps
from django.conf import settings as django_settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.test import override_settings
from django.urls import URLPattern, URLResolver, clear_url_caches, get_resolver, path, reverse
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

import marketplace.urls
from accounts.models import User
from subscriptions.models import Subscription
from tests.marketplace.cast import NOBODYS, SECRETS, Cast
from tests.marketplace.routes import BODIES, ROLES, Row, rights, rows

pytestmark = pytest.mark.django_db

NO_SESSION = ("AN", "TK")
SEEKERS = ("TA", "TB", "DA", "MO")  # who also ask for what does not exist
STAFF = ("MO", "FI", "OP", "SU")
OTHER_METHODS = {"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}
SESSION = {"django_session"}  # a refused request may write there, and nowhere else
READS_AUDITED = (
    "subscriptions_subscription",
    "execution_cycle",
    "execution_order",
    "execution_position",
    "execution_subscriptionperformance",
    "execution_comparison",
    "execution_fill",
    "exchanges_exchangeaccount",
)
# a read that writes: the page opens one's first channel, and what staff read is noted
WRITTEN_BY_READS = {
    "accounts:notifications": {"accounts_notificationchannel"},
    **dict.fromkeys(
        (
            "admin:bots_versiontoreview_package",
            "execution:cycles_file",
            "execution:orders_file",
            "execution:trades_file",
            "execution:capital_file",
            *(f"admin:{model}_change" for model in READS_AUDITED),
        ),
        {"accounts_auditentry", "accounts_audithead"},
    ),
}
# what a program may try beside the address: another's id, and what no list sorts or is searched by
ODD_QUERY = {
    **dict.fromkeys(("user", "trader", "owner", "developer", "person", "requested_by"), "{bob}"),
    "ordering": "trader__password",
    "trader__password__startswith": "a",
}
ANY_ADMIN_PAGE = "admin/(?P<url>.*)$"  # Django's answer where the admin has no page
# the admin's pages of a model: which right opens each, and which right its forms ask for
ADMIN_PAGES = {"changelist": "vc", "change": "vc", "history": "vc", "add": "a", "delete": "d"}
ADMIN_CHANGES = {"changelist": "vcd", "change": "c", "history": "vc", "add": "a", "delete": "d"}
READS_OF_STAFF = {"accounts_auditentry", "accounts_audithead"}

HOW_TO_ADD = """
These addresses are in no row of the role matrix: {missing}.
Add a row for each to tests/marketplace/routes.py: its name, the thing that it is about (a new kind of thing
is made in tests/marketplace/cast.py), and what each role is answered; a model of the admin gets one in ADMIN.
Whoever is not the owner gets 4, anonymous L. Deviations from that are explained in docs/roles.md.
"""


@pytest.fixture(scope="module")
def everybody(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cast]:
    """The cast, made once for all tests here and undone after them."""
    artifacts = {
        "BACKEND": "bots.object_stores.VersionedFolder",
        "OPTIONS": {"location": tmp_path_factory.mktemp("artifacts")},
    }
    told = {
        "STORAGES": django_settings.STORAGES | {"artifacts": artifacts},
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
    at = timezone.now().replace(second=10)  # while the newest candle is fresh
    frozen = time_machine.travel(at, tick=False)  # tokens and links last minutes
    with frozen, django_db_blocker.unblock(), transaction.atomic(), override_settings(**told):
        yield Cast()
        transaction.set_rollback(True)


@pytest.fixture
def cast(everybody: Cast, throwaway_storage: None, settings: Settings) -> Iterator[Cast]:
    """The cast with its files in place, and no word of all that is refused in the log."""
    settings.STORAGES = settings.STORAGES | {"artifacts": everybody.artifacts}
    settings.ACCOUNT_RATE_LIMITS = False
    logging.disable(logging.WARNING)
    yield everybody
    logging.disable(logging.NOTSET)


def addresses(resolver: URLResolver, before: str = "", spaces: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the name of every address, or its pattern where it has none."""
    for each in resolver.url_patterns:
        pattern = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each, pattern, (*spaces, *filter(None, [each.namespace])))
        else:
            yield ":".join((*spaces, each.name)) if each.name else pattern


def unlisted() -> list[str]:
    known = {row.name for row in rows()} | {ANY_ADMIN_PAGE}
    for label in rights():
        known |= {page_name(label, page) for page in ADMIN_PAGES}
        known.add(f"admin/{label.replace('.', '/')}/<path:object_id>/")  # leads to the page "change"
    return sorted(set(addresses(get_resolver())) - known)


def page_name(label: str, page: str) -> str:
    return f"admin:{label.replace('.', '_')}_{page}"


def test_every_address_is_in_the_table() -> None:
    missing = unlisted()

    assert not missing, HOW_TO_ADD.format(missing=", ".join(missing))
    names = set(addresses(get_resolver()))
    assert [row.name for row in rows() if row.name not in names] == []


def wrong_answers(cast: Cast, wanted: Iterable[Row]) -> list[str]:
    """Ask for everything as everybody; return what was answered otherwise than the table says."""
    found: list[str] = []
    for row in wanted:
        for role in ROLES:
            found += _wrong(cast, row, role)
    return found


def _wrong(cast: Cast, row: Row, role: str) -> Iterator[str]:
    address = cast.address(row)
    for method, expected in row.asked(role):
        told = f"{role} {method} {row.name} of {row.of}"
        body = None if method == "GET" else BODIES.get(row.name)
        answer = cast.ask(role, method, address, body)
        if answer.letter != expected:
            yield f"{told}: expected {expected}, got {answer.letter}"
        allowed = SESSION | (WRITTEN_BY_READS.get(row.name, set()) if method == "GET" else set())
        if (method == "GET" or expected != "2") and not answer.written <= allowed:
            yield f"{told}: wrote to {answer.written - allowed}"
        if leaked := [secret for secret in secrets_from(role, row) if secret in answer.text]:
            yield f"{told}: shows {leaked}"
        # where there is nothing, everybody is answered 404, and to the letter as where there is another's
        instead = {expected} & {"L", "P", "3", "5"} | ({"L"} if role in NO_SESSION else set())
        for nothing in cast.addresses_of_nothing(row) if role in SEEKERS else ():
            missing = cast.ask(role, method, nothing, body)
            if missing.letter not in {"4", *instead}:
                yield f"{told}: {missing.letter} at {nothing}, where there is nothing"
            if expected == "4" and plain(missing.text, nothing) != plain(answer.text, address):
                yield f"{told}: another's looks different from what does not exist"


def plain(text: str, address: str) -> str:
    """Return the text without what differs from request to request."""
    return re.sub(r'(?:name="csrfmiddlewaretoken" value|nonce)="[^"]+"', "", text).replace(address, "")


def secrets_from(role: str, row: Row) -> list[str]:
    if role in STAFF and (row.name.startswith("admin:") or (row.of != "-" and row.reads[role] == "2")):
        return []  # whom the table lets see a person's things
    owner = "TA" if role == "TK" else role
    return [secret for person, secrets in SECRETS.items() if person != owner for secret in secrets]


def test_everybody_is_answered_as_the_table_says(cast: Cast) -> None:
    wrong = wrong_answers(cast, rows())

    assert not wrong, "\n".join(wrong)


OWNERS_SEE = [  # where each of the secrets is shown
    ("TA", "exchanges:account"),
    ("TA", "execution:cycle"),
    ("TA", "accounts:notifications"),
    ("DA", "bots:developer_home"),
    ("DA", "bots:version"),
]


def test_the_owner_is_shown_what_is_hidden_from_others(cast: Cast) -> None:
    """Or else the search for secrets would find none anywhere."""
    for owner, secrets in SECRETS.items():
        pages = [row for row in rows() if (owner, row.name) in OWNERS_SEE]
        text = "".join(cast.ask(owner, "GET", cast.address(row)).text for row in pages)
        assert [secret for secret in secrets if secret not in text] == []


def test_other_methods_do_what_get_does_or_nothing(cast: Cast) -> None:
    found = []
    for row in rows():
        for role in ("AN", "TA", "TB"):
            reads = row.reads[role]
            allowed = SESSION | WRITTEN_BY_READS.get(row.name, set())
            for method in OTHER_METHODS - {*row.methods}:
                answer = cast.ask(role, method, cast.address(row))
                is_fine = answer.letter in (reads if method == "HEAD" else f"LP345{reads}")
                tells_methods = method == "OPTIONS" and answer.letter == "2" and not answer.text
                if not (is_fine or tells_methods) or not answer.written <= allowed:
                    found.append(f"{role} {method} {row.name}: {answer.letter}, wrote to {answer.written}")

    assert not found, "\n".join(found)


def test_no_question_beside_the_address_shows_what_is_anothers(cast: Cast) -> None:
    odd = {name: value.format(bob=cast.people["TA"].pk) for name, value in ODD_QUERY.items()}
    found = []
    for row in rows():
        for role in ("TB", "DB"):
            if row.reads[role] != "2":
                continue
            answer = cast.ask(role, "GET", cast.address(row), odd)
            if answer.letter != "2" or any(secret in answer.text for secret in secrets_from(role, row)):
                found.append(f"{role} {row.name}: {answer.letter}")

    assert not found, "\n".join(found)


def mixed(cast: Cast) -> list[tuple[str, str, Callable[[Any], tuple[str, dict[str, Any]]], Any, Any]]:
    """What names another's thing beside an own one, in the address, the query or the body.

    Who asks, how, for what (given an id), another's id, and one that there is nothing for.
    """
    bot, draft = "/bots/steady", "/developers/bots/steady/v1.1.0"
    cycles = f"/subscriptions/{cast.things['subscription']['pk']}/cycles"
    backtest = cast.things["backtest"]["pk"]
    hers = cast.doras_draft.artifacts.latest("pk").pk
    his = cast.charlies
    asked = {
        "bot_id": cast.bot.pk,
        "exchange_type": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1m",
        "allocated_capital": "1000",
        "strategy_config": {},
        "execution_config": {"buy_order_type": "ALL", "sell_order_type": "ALL"},
        "risk_config": {},
    }
    nothing = NOBODYS["pk"]
    return [
        ("TA", "GET", lambda pk: (f"{cycles}/{pk}/", {}), his["cycle"]["cycle_pk"], nothing),
        ("DA", "GET", lambda pk: (f"{draft}/files/{pk}/", {}), hers, nothing),
        ("DA", "POST", lambda pk: (f"{draft}/files/{pk}/remove/", {}), hers, nothing),
        (
            "TA",
            "GET",
            lambda pk: ("/backtests/compare/", {"a": backtest, "b": pk}),
            his["backtest"]["pk"],
            uuid4(),
        ),
        ("TA", "GET", lambda pk: (f"{bot}/backtest/", {"again": pk}), his["backtest"]["pk"], uuid4()),
        ("TA", "POST", lambda pk: (f"{bot}/subscribe/", {"account": pk}), his["account"]["pk"], nothing),
        (
            "TA",
            "POST",
            lambda pk: ("/api/subscriptions/", asked | {"account_id": pk}),
            his["account"]["pk"],
            nothing,
        ),
        ("TA", "POST", lambda pk: ("/api/subscriptions/", asked | {"bot_id": pk}), cast.hidden.pk, nothing),
    ]


def test_anothers_thing_beside_an_own_one_is_as_if_it_did_not_exist(cast: Cast) -> None:
    for role, method, request, others, nothing in mixed(cast):
        address, data = request(others)
        answer = cast.ask(role, method, address, data)
        address_of_nothing, data = request(nothing)
        missing = cast.ask(role, method, address_of_nothing, data)

        assert answer.letter == missing.letter, address
        assert answer.response.status_code >= 400 or method == "POST", address
        assert answer.written <= SESSION | {"subscriptions_subscriptiondraft"}, address  # bob's own
        texts = [
            # either number may be one of the page, too, such as a width
            plain(each.text, where).replace(f'"{others}"', "").replace(f'"{nothing}"', "")
            for each, where in ((answer, address), (missing, address_of_nothing))
        ]
        assert texts[0] == texts[1], address


@pytest.mark.parametrize("role", ["TA", "DA", "MO", "SU"])
def test_a_suspended_person_is_answered_as_if_not_signed_in(cast: Cast, role: str) -> None:
    person = User.objects.filter(pk=cast.people[role].pk)
    person.update(is_active=False)
    found = []

    for row in rows():
        for method, as_nobody in row.asked("AN"):
            letter = cast.ask(role, method, cast.address(row)).letter
            if letter not in (as_nobody, "L" if row.name.startswith("api:") else as_nobody):
                found.append(f"{method} {row.name} of {row.of}: expected {as_nobody}, got {letter}")

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("role", "name", "then"),
    [
        ("MO", "admin:bots_versiontoreview_changelist", "3"),
        ("MO", "admin:bots_bot_changelist", "3"),
        ("OP", "execution:platform", "4"),
        ("OP", "admin:execution_order_changelist", "3"),
        ("FI", "admin:accounts_auditentry_changelist", "3"),
    ],
)
def test_a_role_that_is_taken_away_is_gone_at_the_next_request(
    cast: Cast, role: str, name: str, then: str
) -> None:
    person = cast.people[role]
    assert cast.ask(role, "GET", reverse(name)).letter == "2"

    person.groups.clear()
    assert cast.ask(role, "GET", reverse(name)).letter == then

    User.objects.filter(pk=person.pk).update(is_staff=False)
    assert cast.ask(role, "GET", reverse(name)).letter in "L4"


def test_whoever_is_no_superuser_any_more_sees_no_schema(cast: Cast) -> None:
    assert cast.ask("SU", "GET", reverse("api:schema")).letter == "2"

    User.objects.filter(pk=cast.people["SU"].pk).update(is_superuser=False)

    assert cast.ask("SU", "GET", reverse("api:schema")).letter == "4"


def test_a_session_alone_opens_nothing_of_the_api(cast: Cast) -> None:
    found = []
    for row in rows():
        if not row.name.startswith("api:") or row.name == "api:schema":
            continue
        for method, as_nobody in row.asked("AN"):
            answer = cast.ask("TA", method, cast.address(row), has_token=False)
            if answer.letter != as_nobody:
                found.append(f"{method} {row.name}: expected {as_nobody}, got {answer.letter}")

    assert not found, "\n".join(found)


def test_the_admin_shows_each_model_to_whom_it_concerns(cast: Cast) -> None:
    found = []
    for label, roles in rights().items():
        model = apps.get_model(label)
        row = model._default_manager.first()
        for page, wanted in ADMIN_PAGES.items():
            pk = [] if page in ("changelist", "add") else [row.pk if row else 0]
            address = reverse(page_name(label, page), args=pk)
            for role in ROLES if page == "changelist" else ("TB", *STAFF):
                may = role in STAFF and bool(set(wanted) & set(roles[role]))
                expected = "L" if role not in STAFF else "2" if may else "3"
                answer = cast.ask(role, "GET", address)
                # Django leads whoever asks for the history of nothing to the front page
                is_fine = answer.letter == expected or (row is None and page == "history")
                if not is_fine or not answer.written <= SESSION | READS_OF_STAFF:
                    found.append(f"{role} GET {address}: {answer.letter}, wrote to {answer.written}")
            for role in ("TB", *STAFF):
                if role in STAFF and set(ADMIN_CHANGES[page]) & set(roles[role]):
                    continue  # what is done by whom may is the other tests' to say
                answer = cast.ask(role, "POST", address, {"post": "yes", "action": "delete_selected"})
                if answer.letter not in "L32" or not answer.written <= SESSION:
                    found.append(f"{role} POST {address}: {answer.letter}, wrote to {answer.written}")

    assert not found, "\n".join(found)


def unscoped(request: HttpRequest, pk: int) -> HttpResponse:
    """A subscription's page whose author forgot whose it is."""
    found = get_object_or_404(Subscription.objects.all(), pk=pk)
    return (
        HttpResponse(f"{found.bot} trades.") if request.user.is_authenticated else redirect("account_login")
    )


@pytest.fixture
def with_address(settings: Settings) -> Iterator[Callable[[URLPattern | URLResolver], None]]:
    """Put an address before the product's own."""

    def add(address: URLPattern | URLResolver) -> None:
        module = ModuleType("addresses_of_a_test")
        vars(module).update(vars(marketplace.urls), urlpatterns=[address, *marketplace.urls.urlpatterns])
        settings.ROOT_URLCONF = module
        clear_url_caches()

    yield add
    clear_url_caches()


def test_a_page_that_forgets_whose_a_thing_is_does_not_pass(
    cast: Cast, with_address: Callable[[URLPattern], None]
) -> None:
    """The control arm."""
    row = next(row for row in rows() if row.name == "execution:subscription")
    assert wrong_answers(cast, [row]) == []

    with_address(path("subscriptions/<int:pk>/", unscoped))

    wrong = wrong_answers(cast, [row])
    assert "TB GET execution:subscription of subscription: expected 4, got 2" in wrong


def test_an_address_that_is_in_no_row_does_not_pass(with_address: Callable[[URLPattern], None]) -> None:
    """The other control arm."""
    with_address(path("leak/<int:pk>/", unscoped, name="leak"))

    assert unlisted() == ["leak"]
