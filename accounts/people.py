"""How a person comes into being other than by signing up."""

from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.models import User


def create_person(*, username: str, email: str, password: str, **flags: Any) -> User:
    """Create someone whose address needs no confirmation; `flags` are further fields such as is_staff."""
    with transaction.atomic():
        person: User = User.objects.create_user(username, email, password, **flags)
        EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    return person
