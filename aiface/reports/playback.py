"""The clip that a report's page plays: it lies beside the page, so that the folder can be sent on as it is."""

from dataclasses import dataclass
from pathlib import Path

from aiface.analysis.result import Analysis
from aiface.errors import DataError, VideoError
from aiface.provenance.inspector import plays_as
from aiface.video.playable import place

SMALLER = "What plays here is a smaller copy without sound: not every browser plays the clip itself."


@dataclass(frozen=True)
class Playback:
    """name: of the file beside the page that it plays, None where there is none. note: why, or what is left out."""

    name: str | None
    note: str = ""


def playback(analysis: Analysis, page: Path) -> Playback | None:
    """Put the clip that was judged beside its page, in a form that browsers play; None for what is no clip's file."""
    if analysis.error or not analysis.moving or not _is_file(analysis.file):
        return None
    try:
        ending = plays_as(analysis.file)
        path, anew = place(analysis.file, ending, page.with_suffix(""), analysis.seconds)
    except (DataError, VideoError, OSError) as error:  # the report is worth more than its player
        return Playback(None, f"There is no player here: {error}")
    return Playback(path.name, SMALLER if anew else "")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # an address, or a name that no file can have
        return False
