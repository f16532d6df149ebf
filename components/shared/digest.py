"""Whether a folder is, byte for byte, what it was."""

import hashlib
import os

import tensorflow as tf

_BLOCK = 2**20


def folder_digest(folder: str) -> str:
    """Returns a hash over the names and the bytes of all files of a folder, local or remote.

    Raises:
        tf.errors.OpError: a file cannot be read.
    """
    digest = hashlib.sha256()
    files = sorted(
        os.path.join(parent, name)
        for parent, _, names in tf.io.gfile.walk(folder)
        for name in names
    )
    for path in files:
        name = os.path.relpath(path, folder)
        digest.update(f"{len(name)} {name} {tf.io.gfile.stat(path).length}\n".encode())
        with tf.io.gfile.GFile(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
