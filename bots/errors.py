class ArtifactError(Exception):
    """A file of a version is missing or is not the one that was published; the version must not run."""


class PublishingError(Exception):
    """A bot or version is not in a state in which this can be done; the message says what to do."""
