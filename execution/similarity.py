"""How much of a bot's code stands in the published bots of other developers, or in the SDK's samples.

Compared are shapes (`bot_sdk.code_shape`), taken in a confined process. What two bots both have from a sample
says nothing about either, and is left out. Nobody is told of a published bot unless they have half of it: so
the answers do not help to guess at code that is not theirs.
"""

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from bot_sdk.code_shape import shape_of
from bots import storage
from bots.errors import ArtifactChanged, ArtifactMissing
from bots.models import Bot, BotVersion
from execution import sandbox
from execution.models import CodeShape

logger = logging.getLogger(__name__)

FEWEST = 40  # numbers in common, about fifteen lines: less may come about by chance
ALIKE_FRACTION = 0.5  # of the smaller of two shapes, from which on a person has to look
COPIED_FRACTION = 0.8  # from which on it is a copy

_EXAMPLES = resources.files("bot_sdk").joinpath("examples")


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the code is like: a published bot, or a sample by the name of its file."""

    of: Bot | str
    fraction: float  # of the smaller shape

    @property
    def is_copy(self) -> bool:
        return self.fraction >= COPIED_FRACTION


def keep_shape(version: BotVersion, code: str) -> frozenset[int]:
    """Take the shape of the version's code, store it and return it. Raises SandboxUnavailable."""
    shape, _ = CodeShape.objects.update_or_create(version=version, defaults={"packed": sandbox.shape(code)})
    return frozenset(shape.numbers)


def nearest_sample(shape: frozenset[int]) -> Likeness | None:
    """Return the sample of the SDK that the shape is most like, None when it is like none of them."""
    return _nearest(_likeness(name, shape, sample) for name, sample in _samples().items())


def nearest_bot(version: BotVersion, shape: frozenset[int]) -> Likeness | None:
    """Return the published bot of another developer that the shape is most like, None when there is none.

    Raises SandboxUnavailable and StorageUnavailable when a published version's shape has to be taken first.
    """
    of_samples = frozenset[int]().union(*_samples().values())
    own = shape - of_samples
    return _nearest(_likeness(bot, own, theirs, of_samples) for bot, theirs in _others(version))


def _nearest(found: Iterator[Likeness | None]) -> Likeness | None:
    return max(filter(None, found), key=lambda likeness: likeness.fraction, default=None)


def _likeness(
    of: Bot | str, one: frozenset[int], other: Sequence[int], left_out: frozenset[int] = frozenset()
) -> Likeness | None:
    """Compare `one`, in which what is `left_out` is not, with another in which it may be."""
    shared = len(one.intersection(other))
    if shared < FEWEST:  # as nearly all are
        return None
    fraction = shared / min(len(one), len(frozenset(other) - left_out))
    return Likeness(of, fraction) if fraction >= ALIKE_FRACTION else None


def _others(version: BotVersion) -> Iterator[tuple[Bot, Sequence[int]]]:
    """Yield the bot and the shape of each version that somebody else has ever published."""
    others = BotVersion.objects.exclude(published_at=None).exclude(bot__developer=version.bot.developer_id)
    others = others.select_related("bot")
    for other in others.filter(shape=None):  # it was published without checks
        try:
            keep_shape(other, storage.read_code(other))
        except (ArtifactChanged, ArtifactMissing) as error:  # what cannot run anyway holds nobody up
            logger.warning("Nothing is compared with %s: %s", other, error)
    for other in others.exclude(shape=None).select_related("shape").iterator(chunk_size=500):
        yield other.bot, other.shape.numbers


@functools.cache
def _samples() -> Mapping[str, Sequence[int]]:
    """Return the shape of each sample by its file's name."""
    files = sorted(file.name for file in _EXAMPLES.iterdir() if file.name.endswith(".py"))
    return {name: shape_of(_EXAMPLES.joinpath(name).read_text()) for name in files}
