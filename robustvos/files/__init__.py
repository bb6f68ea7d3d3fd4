"""Files in and out: atomic writes, safe names and paths, lists, manifests; nothing is written where it does not belong."""
