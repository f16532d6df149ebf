"""What Kubeflow's launcher does in a pod before and after the node: it carries the files.

Written from Kubeflow's source, not from this project's: it is what the project is held against.
"""

import itertools
import json
import os
from pathlib import Path

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from support.kfp_cluster.driver import Artifact, Message
from support.object_store import Store

_FOLDERS = {"gs": "gcs", "minio": "minio", "s3": "s3"}


class LaunchError(Exception):
    """The launcher fails, and with it the node."""


def local_path(uri: str, root: Path) -> Path | None:
    """Returns where an object's files are in a pod; None for other addresses."""
    scheme, separator, rest = uri.partition("://")
    return root / _FOLDERS[scheme] / rest if separator and scheme in _FOLDERS else None


class Launcher:
    """Carries files between a store and the folder of a pod's files."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store, self._root = store, root
        self._numbers = itertools.count(1)

    def prepare(self, told: Message) -> None:
        """Brings the inputs and makes the folders that the outputs will lie in."""
        for listed in told.get("inputs", {}).get("artifacts", {}).values():
            self._download(listed["artifacts"][0]["uri"])
        for listed in told["outputs"]["artifacts"].values():
            path = local_path(listed["artifacts"][0]["uri"], self._root)
            if path is None:
                raise LaunchError(f"no local path for {listed['artifacts'][0]['uri']}")
            path.parent.mkdir(parents=True, exist_ok=True)

    def collect(self, told: Message) -> dict[str, Artifact]:
        """Sends what the node has left and returns its outputs by key."""
        answered = self._answer(told["outputs"]["outputFile"])
        return {
            key: self._collected(key, listed["artifacts"][0], answered.get(key))
            for key, listed in told["outputs"]["artifacts"].items()
        }

    def _answer(self, output_file: str) -> Message:
        path = self._root / output_file.lstrip("/")
        if not path.exists():
            return {}
        # Strictly: an unknown field is an error.
        answered = json_format.Parse(path.read_text("utf-8"), pipeline_spec_pb2.ExecutorOutput())
        artifacts = json.loads(json_format.MessageToJson(answered)).get("artifacts", {})
        return {key: listed["artifacts"][0] for key, listed in artifacts.items()}

    def _collected(self, key: str, output: Message, answered: Message | None) -> Artifact:
        answered = answered or {}
        uri = answered.get("uri") or output["uri"]
        path = local_path(uri, self._root)
        # Another address is left alone, and what lies there is lost.
        if path is not None:
            self._upload(path, uri)
        metadata = {**output.get("metadata", {}), **answered.get("metadata", {})}
        for name, value in metadata.items():
            if value is None:
                raise LaunchError(f"{key}: unsupported value of {name}")
            if isinstance(value, bool):
                metadata[name] = float(value)
        return Artifact(str(next(self._numbers)), uri, {"display_name": key, **metadata})

    def _download(self, uri: str) -> None:
        path = local_path(uri, self._root)
        if path is None:
            return
        bucket, start = _parts(uri)
        for key in self._store.keys(bucket, start):
            if key != start and not key.startswith(f"{start}/"):
                continue
            # A key that ends in a slash, which marks a folder, becomes a file in its place.
            target = path / key[len(start) :].strip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._store.client.download_file(bucket, key, str(target))

    def _upload(self, path: Path, uri: str) -> None:
        bucket, start = _parts(uri)
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        for file in sorted(files):
            key = os.path.normpath(f"{start}/{file.relative_to(path).as_posix()}")
            self._store.client.upload_file(str(file), bucket, key)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key
