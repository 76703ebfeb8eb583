"""Named errors. Each message says what was expected, what was found, where, and what to do."""


class AifaceError(Exception):
    """Base of everything that aiface raises on purpose: catch this to catch them all."""


class DataError(AifaceError):
    """A data set, an image or a file of crops is not what it should be."""


class ModelError(AifaceError):
    """A network, its weights or a detector bundle is not what it should be."""


class VideoError(AifaceError):
    """A clip or a camera can't be read or written."""


class ClusterError(AifaceError):
    """A Ray cluster can't be had, or was lost."""


class WriteError(AifaceError, OSError):
    """A file can't be written: the disk is full, say, or the folder read-only. What was there before is unchanged.

    It has the `errno` and `strerror` of the system's own error, so it can be handled as that one.
    """

    def __init__(self, message: str, cause: OSError):
        super().__init__(message)
        self.errno, self.strerror = cause.errno, cause.strerror

    def __str__(self) -> str:
        return self.args[0]  # an `OSError` with a number shows its own words instead
