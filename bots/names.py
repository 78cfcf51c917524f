"""Names of bots: which of them people would take for one another."""

import unicodedata

from confusable_homoglyphs import confusables
from django.core.exceptions import ValidationError
from django.utils.text import slugify

LONGEST_SLUG = 80
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, marks of direction, unassigned
_DRAWN_ALIKE = str.maketrans("i10", "llo")


def clean_name(name: str) -> str:
    """Return the name with plain single spaces, composed as NFKC has it.

    Raises ValidationError for characters that nobody sees, such as marks of direction and of zero width, and
    for a name of which no address can be made.
    """
    composed = " ".join(unicodedata.normalize("NFKC", name).split())
    if any(unicodedata.category(character) in _UNSEEN for character in composed):
        raise ValidationError("The name has characters that cannot be seen. Type it again without them.")
    if not slug_of(composed):
        raise ValidationError("Expected a name with at least one letter of the Latin alphabet or a digit.")
    return composed


def slug_of(name: str) -> str:
    """Return what stands for the name in addresses, empty when nothing does."""
    return slugify(name)[:LONGEST_SLUG].strip("-_")


def skeleton(name: str) -> str:
    """Return a text that is equal for names which look alike: by case, width, accents, spaces or alphabet.

    The look-alikes are those of Unicode's table of confusables, each read as its Latin letter, and within
    Latin what many fonts draw alike.
    """
    latin = "".join(_latin(letter) for letter in unicodedata.normalize("NFKC", name))
    folded = unicodedata.normalize("NFKD", latin.casefold())
    return "".join(letter for letter in folded if letter.isalnum()).translate(_DRAWN_ALIKE)


def _latin(letter: str) -> str:
    found = confusables.is_confusable(letter, preferred_aliases=["latin"])
    if not found or letter.isascii():
        return letter
    looks = (alike["c"] for alike in found[0]["homoglyphs"] if alike["c"].isascii() and alike["c"].isalnum())
    return next(looks, letter)
