"""Which versions of a model are whole, and which is the newest."""

import os

import tensorflow as tf


def latest_version(destination: str) -> str:
    """Returns the highest complete version in a model's folder; empty where there is none."""
    if not tf.io.gfile.isdir(destination):
        return ""
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(destination)]
    versions = [
        name
        for name in names
        if name.isdigit() and tf.io.gfile.exists(os.path.join(destination, name, "saved_model.pb"))
    ]
    return max(versions, key=int, default="")
