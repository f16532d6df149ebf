"""How the files of films begin."""

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# The first two of JPEG's bytes, which its first segment follows.
START_OF_IMAGE = JPEG[:2]
