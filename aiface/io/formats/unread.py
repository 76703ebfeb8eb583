"""What people take for a picture or a clip and is not read: what it is, and what to do."""

import re

# Cameras' own formats: their first picture is a thumbnail
RAW = (".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef",
       ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f")  # fmt: skip
SOUND = (".aac", ".aax", ".flac", ".m4a", ".m4b", ".m4p", ".m4r", ".mka", ".mp3", ".oga", ".opus", ".spx", ".wav",
         ".weba", ".wma")  # fmt: skip
SAVE = "save it as JPEG, PNG or TIFF"
NAMED = {
    **dict.fromkeys(RAW, f"a camera's raw picture; {SAVE}"),
    **dict.fromkeys(SOUND, "sound alone"),
    **dict.fromkeys((".m3u8", ".m3u", ".mpd", ".pls", ".asx"), "a list of clips, not a clip"),
}
STARTS = (
    (rb"\xff\x0a|\0\0\0\x0cJXL ", f"a JPEG XL picture, which is not read; {SAVE}"),
    (rb"\x76\x2f\x31\x01", f"an OpenEXR picture, which is not read; {SAVE}"),
    (rb"P7\n", f"a PAM picture, which is not read; {SAVE}"),
    (rb"gimp xcf", f"a drawing of GIMP's; {SAVE}"),
    (rb"%PDF-", "a PDF; save its pictures as JPEG or PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", f"PostScript, which is not read; {SAVE}"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg", f"an SVG drawing; {SAVE}"),
    (rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ", "an archive; unpack it"),
)


def unread(suffix: str, start: bytes) -> str:
    """What a file is, by the ending of its name, as `.jxl`, and by its first bytes; "" if unknown.

    >>> unread(".jxl", b"\\xff\\x0a")
    'a JPEG XL picture, which is not read; save it as JPEG, PNG or TIFF'
    """
    if not start:
        return "an empty file; get another copy of it"
    found = (words for pattern, words in STARTS if re.match(pattern, start, re.DOTALL | re.IGNORECASE))
    return NAMED.get(suffix) or next(found, "")
