"""The bundle format: read, check, hash, version. Pure: bytes in, values out."""
