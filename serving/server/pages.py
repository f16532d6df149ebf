"""The page, what it asks about the model, and what a cluster asks about the server."""

import json
from importlib import resources
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from components.shared.features import THRESHOLD
from components.shared.notice import NOTICE
from components.shared.run_folder import METRICS_FILE, REPORT_FILE, RunFolder
from serving.server.errors import Refusal, RequestError
from serving.server.openapi import description
from serving.server.service import Service

_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
# The report is one file with its styles and pictures in it, and no script.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class Pages:
    """The endpoints that are only read."""

    def __init__(self, service: Service) -> None:
        """Takes what is told about."""
        self._service = service
        folder = resources.files(__package__) / "page"
        # Read once: no name in a request ever becomes a path.
        self._page = {
            path: Response((folder / name).read_bytes(), media_type=kind)
            for path, (name, kind) in _PAGE.items()
        }

    def routes(self) -> list[Route]:
        """Returns the paths."""
        return [
            *(Route(path, self.page) for path in _PAGE),
            Route("/about", self.about),
            Route("/report", self.report),
            Route("/openapi.json", self.openapi),
            Route("/healthz", self.alive),
            Route("/readyz", self.ready),
            Route("/monitoring/prometheus/metrics", self.metrics),
        ]

    async def page(self, request: Request) -> Response:
        """GET / and its two files."""
        return self._page[request.scope["path"]]

    async def about(self, request: Request) -> Response:
        """GET /about: what the page shows of the model."""
        name = self._service.name
        with self._service.hold(name) as version:
            report = await run_in_threadpool(report_of, self._service.folder, version.number)
            return JSONResponse(
                {
                    "model": name,
                    "version": str(version.number),
                    THRESHOLD: version.servable.model.threshold,
                    "report": report is not None,
                    "notice": NOTICE,
                    "max_body_bytes": self._service.limits.body_bytes,
                    "token_required": self._service.asks_token,
                }
            )

    async def report(self, request: Request) -> Response:
        """GET /report: of the run that pushed the version that is served."""
        with self._service.hold(self._service.name) as version:
            page = await run_in_threadpool(report_of, self._service.folder, version.number)
        if page is None:
            raise RequestError(
                Refusal.NOT_FOUND, f"Version {version.number} has no report beside it."
            )
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return Response(page, media_type="text/html", headers=headers)

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json: this interface, described."""
        return JSONResponse(description(self._service.name))

    async def alive(self, request: Request) -> Response:
        """GET /healthz: the process answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        """GET /readyz: a version is served; 503 until there is one."""
        if self._service.versions.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"error": "No version of the model is served yet."}, 503)

    async def metrics(self, request: Request) -> Response:
        """GET /monitoring/prometheus/metrics, where TensorFlow Serving has them."""
        return Response(self._service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def report_of(model: Path, version: int) -> bytes | None:
    """Returns the report of the run that pushed a version, if it is the folder's last.

    Args:
        model: folder of versions.
        version: that is served.
    """
    run = RunFolder(model.parent.parent)
    if model != run.serving_model(model.name):
        return None
    try:
        metrics = json.loads((run.report / METRICS_FILE).read_bytes())
        if str(metrics["pushed_version"]) != str(version):
            return None
        return (run.report / REPORT_FILE).read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return None
