"""How a person comes into being other than by signing up."""

from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.models import User


def create_person(*, username: str, email: str, password: str, **flags: Any) -> User:
    """Create someone whose address needs no confirmation; `flags` are further fields such as is_staff."""
    with transaction.atomic():
        person: User = User.objects.create_user(username, email, password, **flags)
        confirm_address(person)
    return person


def confirm_address(person: User) -> None:
    """Take the person's address as theirs, so that they can sign in without confirming it."""
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
