"""An object store on this machine, spoken to as Amazon's."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

# The only pair that the store knows; it looks at the first alone.
KEY, SECRET = "key", "secret"
_REFUSAL = "<Error><Code>{}</Code><Message>{}</Message></Error>"


class _Quiet(MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Says nothing of each request."""


# Called with a request's method and path before it is answered.
Watch = Callable[[str, str], None]


class Server:
    """The store; it listens inside the `with` block.

    Attributes:
        url: where.
        watch: called with each request of whoever has the key; None calls nothing.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._answer = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(host, 0, self._handle, threaded=True, request_handler=_Quiet)
        self._refused: frozenset[str] = frozenset()
        self.url = f"http://{host}:{self._server.server_port}"
        self.watch: Watch | None = None

    def __enter__(self) -> "Server":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def refusing(self, *methods: str) -> Iterator[None]:
        """Inside, the store allows nobody requests of these methods."""
        self._refused = frozenset(methods)
        try:
            yield
        finally:
            self._refused = frozenset()

    def _handle(self, environ: dict[str, Any], start_response: Any) -> Any:
        method = environ["REQUEST_METHOD"]
        signed = environ.get("HTTP_AUTHORIZATION", "")
        key = re.search(r"Credential=([^/]+)/", signed)
        if key is None or key[1] != KEY:
            code = "InvalidAccessKeyId"
        elif method in self._refused:
            code = "AccessDenied"
        else:
            if self.watch:
                self.watch(method, environ["PATH_INFO"])
            return self._answer(environ, start_response)
        # What is sent must be read, or the sender sees a broken connection instead.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [_REFUSAL.format(code, "Access to the store is denied.").encode()]


class Store:
    """Its objects."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        for key, content in objects.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def objects(self, bucket: str) -> dict[str, bytes]:
        return {
            key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in self.keys(bucket)
        }
