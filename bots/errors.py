class ArtifactError(Exception):
    """A file of a version is missing or is not the one that was published; the version must not run."""


class ArtifactChanged(ArtifactError):
    """Storage has other bytes than those that were approved: somebody or something changed them."""


class StorageUnavailable(ArtifactError):
    """Storage does not answer; the same may be tried again later."""


class ArtifactMissing(StorageUnavailable):
    """Storage answers and has no such object: it is lost, or the place is another than it was."""


class PublishingError(Exception):
    """A bot or version is not in a state in which this can be done; the message says what to do."""


class MayNotPublish(PublishingError):
    """Whoever asks publishes nothing: staff, and whom staff have banned."""


class TooManyUploads(PublishingError):
    """The developer has as many uploads under way as may be at a time."""


class InspectionUnavailable(PublishingError):
    """Code cannot be looked at just now, which is not its doing; the same may be tried again later."""
