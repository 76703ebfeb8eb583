"""Bytes in and out: files, pictures, names and addresses, strangers' archives, child processes; nothing of faces."""
