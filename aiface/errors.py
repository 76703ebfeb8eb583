"""Named errors. Each message says what was expected, what was found, where, and what to do."""


class AifaceError(Exception):
    """Base of everything that aiface raises on purpose: catch this to catch them all."""


class DataError(AifaceError):
    """A data set, an image or a file of crops is not what it should be."""


class ModelError(AifaceError):
    """A network, its weights or a detector bundle is not what it should be."""


class VideoError(AifaceError):
    """A clip or a camera can't be read or written."""


class FetchError(AifaceError):
    """A file that `fetch.sh` brings is missing or damaged."""
