"""Text that came from outside, made fit to be stored and shown."""


def printable(text: str) -> str:
    """Return the text with a space for each character that is invisible or changes the direction of text."""
    if text.isprintable():  # nearly all is, and that is told a hundred times quicker
        return text
    return "".join(character if character.isprintable() else " " for character in text)
