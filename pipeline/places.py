"""Addresses: of volumes, of objects, and of the files that stand for objects in a pod.

Kubeflow's launcher puts an object's copy at a path that its address gives, and copies back what a
node leaves at such a path. So a node that knows files alone can use any object store.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

PVC = "pvc"
S3 = ("s3", "minio")
# The launcher's folder of each kind of object store.
_FOLDERS = {"gs": "gcs", "minio": "minio", "s3": "s3"}
_URI = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<root>[^/\s]+)(?P<path>(/[^/\s]+)*)")
_CLAIM = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


class Place(NamedTuple):
    """An address in parts.

    Attributes:
        scheme: such as `s3`.
        root: the bucket, or the claim.
        path: within; empty, or with no slash at either end.
    """

    scheme: str
    root: str
    path: str


def parse(uri: str, schemes: Iterable[str]) -> Place | None:
    """Returns the parts of an address; None where it is none of the schemes' or climbs."""
    match = _URI.fullmatch(uri.rstrip("/"))
    if match is None or match["scheme"] not in schemes or ".." in match["path"].split("/"):
        return None
    if match["scheme"] == PVC and not _CLAIM.fullmatch(match["root"]):
        return None
    return Place(match["scheme"], match["root"], match["path"].lstrip("/"))


def is_remote(uri: str) -> bool:
    """Says whether an address is that of an object."""
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme in _FOLDERS


def to_local(uri: str, root: str = "/") -> str:
    """Returns the path at which the launcher has an object; other addresses stay.

    Args:
        uri: an address.
        root: of the pod's files.
    """
    if not is_remote(uri):
        return uri
    scheme, _, rest = uri.partition("://")
    return f"{root.rstrip('/')}/{_FOLDERS[scheme]}/{rest}"


def to_remote(path: str, root: str = "/") -> str:
    """Returns the address of the object for which a path stands; undoes `to_local`."""
    for scheme, folder in _FOLDERS.items():
        prefix = f"{root.rstrip('/')}/{folder}/"
        if path.startswith(prefix):
            return f"{scheme}://{path[len(prefix) :]}"
    return path
