"""How people's secrets rest in the database: sealed with Fernet under keys derived from VAULT_KEYS.

The first key seals, all open. Each purpose has keys of its own, so that nothing sealed for one opens as
another.
"""

import base64
import hmac

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def ring(purpose: str) -> MultiFernet:
    """Return what seals and opens for a purpose, which is named by the module that it belongs to."""
    return MultiFernet([Fernet(_derived(key, purpose)) for key in settings.VAULT_KEYS.values()])


def _derived(key: bytes, purpose: str) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, purpose.encode(), "sha256"))
