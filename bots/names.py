"""Names of bots: which of them people would take for one another."""

import unicodedata

from confusable_homoglyphs import confusables
from django.core.exceptions import ValidationError
from django.utils.text import slugify

from bots.facts import is_unseen

LONGEST_SLUG = 80
LONGEST_SKELETON = 160
_DRAWN_ALIKE = str.maketrans("i10", "llo")


def clean_name(name: str) -> str:
    """Return the name with plain single spaces, composed as NFKC has it.

    Raises ValidationError for characters that nobody sees, such as marks of direction and of zero width, and
    for a name of which no address can be made.
    """
    composed = " ".join(unicodedata.normalize("NFKC", name).split())
    if any(map(is_unseen, composed)):
        raise ValidationError("The name has characters that cannot be seen. Type it again without them.")
    if not slug_of(composed):
        raise ValidationError("Expected a name with at least one letter of the Latin alphabet or a digit.")
    return composed


def slug_of(name: str) -> str:
    """Return what stands for the name in addresses, empty when nothing does."""
    return slugify(name)[:LONGEST_SLUG].strip("-_")


def skeleton(name: str) -> str:
    """Return a text that is equal for names which look alike: by case, width, accents, spaces or alphabet.

    The look-alikes are those of Unicode's table of confusables, each read as its ASCII letter, and what many
    fonts draw alike.
    """
    ascii_letters = "".join(map(_as_ascii, unicodedata.normalize("NFKC", name)))
    folded = unicodedata.normalize("NFKD", ascii_letters.casefold())
    return _letters(folded).translate(_DRAWN_ALIKE)[:LONGEST_SKELETON]


def _as_ascii(letter: str) -> str:
    found = None if letter.isascii() else confusables.is_confusable(letter)
    looks = (_letters(alike["c"]) for alike in (found[0]["homoglyphs"] if found else ()))
    return next((look for look in looks if look.isascii() and look), letter)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
