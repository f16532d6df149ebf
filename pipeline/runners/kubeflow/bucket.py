"""A model's versions in a bucket."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from components.evaluator.champion import find_champion
from components.shared.errors import InputError
from components.shared.versions import GRAPH_FILE, is_version, whole_versions
from pipeline import places

# Key of the objects' metadata: who sent them.
_PUSHER = "pusher"
_ERRORS = (BotoCoreError, ClientError, boto3.exceptions.Boto3Error)


class Versions:
    """A folder of versions in a bucket, and a local folder that stands for it.

    The variables of Amazon's tools say where the bucket is and with which key:
    AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Every method raises InputError
    where the bucket cannot be used.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        """Takes the bucket's address of the folder, and the local folder."""
        self._uri, self._folder = uri, folder
        self._bucket, self._path = _parts(uri)
        self._client = _client(uri)

    def latest(self) -> str:
        """Returns the newest whole version; empty for none."""
        files = self._files()
        versions = whole_versions(files, lambda name: GRAPH_FILE in files[name])
        return versions[-1] if versions else ""

    def fetch_numbers(self) -> None:
        """Makes the local folder know which versions there are, by empty folders."""
        for name in filter(is_version, self._files()):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def fetch_champion(self, model_uri: str) -> None:
        """Brings what the evaluator of a trained model compares it with.

        Args:
            model_uri: of the trained model, as the evaluator knows it.
        """
        if latest := self.latest():
            self._fetch(latest)
            # The one before, where it is this very model that was pushed last.
            champion = find_champion(str(self._folder), model_uri)
            if champion not in ("", latest):
                self._fetch(champion)

    def push(self, version: str, pusher: str) -> None:
        """Sends a version, whole or not at all: the file that makes it one comes last.

        Args:
            version: in the local folder.
            pusher: who sends, see `discard_half`.
        """
        folder = self._folder / version
        graph = folder / GRAPH_FILE
        files = [path for path in folder.rglob("*") if path.is_file()]
        sent: list[str] = []
        with _explained(self._uri):
            try:
                for path in sorted(files, key=lambda path: (path == graph, str(path))):
                    key = f"{self._path}/{version}/{path.relative_to(folder).as_posix()}"
                    sent.append(key)
                    note = {"Metadata": {_PUSHER: pusher}}
                    self._client.upload_file(str(path), self._bucket, key, ExtraArgs=note)
            except BaseException:
                # A store that takes nothing may not take this either; the first error tells.
                with suppress(*_ERRORS):
                    self._delete(reversed(sent))
                raise

    def discard_half(self, pusher: str) -> None:
        """Takes away half a version that the same pusher has left, killed on the way.

        Another's stays: it may be on its way still.
        """
        for version, files in self._files().items():
            if is_version(version) and GRAPH_FILE not in files:
                own = [f"{self._path}/{version}/{file}" for file in files]
                with _explained(self._uri):
                    head = self._client.head_object(Bucket=self._bucket, Key=own[0])
                    if head["Metadata"].get(_PUSHER) == pusher:
                        self._delete(own)

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _fetch(self, version: str) -> None:
        for key in self._keys(f"{self._path}/{version}/"):
            self._download(key)

    def _files(self) -> dict[str, list[str]]:
        """Returns the paths of the files inside each folder, by the folder's name."""
        found: dict[str, list[str]] = {}
        for key in self._keys(f"{self._path}/"):
            name, inside, file = key.removeprefix(f"{self._path}/").partition("/")
            if inside:
                found.setdefault(name, []).append(file)
        return found

    def _keys(self, prefix: str) -> Iterator[str]:
        with _explained(self._uri):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix.lstrip("/")
            )
            for page in pages:
                # A key that ends so marks a folder, and is no file.
                keys = (item["Key"] for item in page.get("Contents", []))
                yield from (key for key in keys if not key.endswith("/"))

    def _download(self, key: str) -> None:
        path = self._folder / key.removeprefix(f"{self._path}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(self._uri):
            self._client.download_file(self._bucket, key, str(path))


def send_folder(uri: str, folder: Path) -> None:
    """Sends the files of a folder to a bucket, over what is there.

    Args:
        uri: the bucket's address of the folder.
        folder: where the files are.

    Raises:
        InputError: the bucket cannot be used.
    """
    bucket, start = _parts(uri)
    client = _client(uri)
    with _explained(uri):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = f"{start}/{path.relative_to(folder).as_posix()}"
            client.upload_file(str(path), bucket, key)


def _parts(uri: str) -> tuple[str, str]:
    """Returns the bucket and the path in it."""
    place = places.parse(uri, places.S3)
    if place is None:
        raise InputError(f"The push destination {uri} is neither s3:// nor minio://BUCKET.")
    return place.root, place.path


def _client(uri: str) -> Any:
    with _explained(uri):
        # Without a region the client does not start, though most stores have none.
        region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        return boto3.client("s3", region_name=region)


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise InputError(
            f"The push destination {uri} cannot be used: {str(error).rstrip('.')}."
        ) from error
