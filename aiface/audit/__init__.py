"""Whether the class shows beside the face: in files, colours, grain, duplicates."""
