"""What the proofs of the order path share: a printed seed, and a database that forgets each example."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

SEED_VARIABLE = "PROOF_SEED"


def new_seed() -> int:
    """Return the seed of this run, printed so that a failure can be had again with PROOF_SEED."""
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))
    print(f"{SEED_VARIABLE}={seed}")
    return seed


@contextmanager
def forgotten() -> Iterator[None]:
    """Undo at the end whatever is written to the database meanwhile."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
