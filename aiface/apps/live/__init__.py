"""A camera or a clip in a window, judged while it plays."""
