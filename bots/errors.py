class ArtifactError(Exception):
    """A file of a version is missing or is not the one that was published; the version must not run."""
