import json
from pathlib import Path

import numpy as np
import pytest
import requests

from serving.server.limits import Limits
from serving.server.openapi import description
from serving.server.pages import Pages, report_of
from serving.server.service import Service
from support.dicom_files import EIGHT, dicom
from support.served_model import LOCAL, Address, png, save, serving


def test_every_path_is_described(served_folder: Path) -> None:
    routes = Pages(Service(served_folder, None, Limits())).routes()
    paths = {route.path for route in routes} - {"/", "/page.js", "/page.css"}
    assert len(paths) > 4
    assert paths <= set(description("pneumonia")["paths"])


def test_a_film_as_it_is(server: Address) -> None:
    found = requests.post(f"{server.http}/readings", png(204), timeout=30).json()
    level = pytest.approx(0.8, abs=1e-6)
    assert found["seen"] is not None
    assert {**found, "seen": None} == {
        "probability": level,
        "threshold": 0.5,
        "label": "PNEUMONIA",
        "model_version": "7",
        "heatmap": [[level, level], [level, level]],
        "seen": None,
        "film": None,
    }


def test_a_dicom_film_comes_back_as_a_browser_can_show_it(server: Address) -> None:
    import base64

    import cv2

    found = requests.post(f"{server.http}/readings", dicom(EIGHT), timeout=60).json()
    film = np.frombuffer(base64.b64decode(found["film"]), np.uint8)
    assert cv2.imdecode(film, cv2.IMREAD_UNCHANGED).tolist() == EIGHT.tolist()
    assert found["probability"] == pytest.approx(EIGHT.mean() / 255, abs=1e-6)


@pytest.mark.parametrize(
    ("film", "reason"),
    [
        (b"", "Film 0 is empty."),
        (b"text", "Film 0 is no readable JPEG or PNG."),
        (dicom(EIGHT, Modality="MR"), "The film is no radiograph: its Modality is MR"),
        (dicom(EIGHT, ViewPosition="LL"), "The film is no frontal radiograph"),
        (dicom(EIGHT)[:200], "The film is no"),
    ],
)
def test_what_is_no_film(server: Address, film: bytes, reason: str) -> None:
    response = requests.post(f"{server.http}/readings", film, timeout=60)
    assert response.status_code == 400
    assert response.json()["error"].startswith(reason)


def test_about(server: Address) -> None:
    assert requests.get(f"{server.http}/about", timeout=30).json() == {
        "model": "pneumonia",
        "version": "7",
        "threshold": 0.5,
        "report": False,
        "notice": "Decision support, not a medical device. A physician decides.",
        "max_body_bytes": 96 * 2**20,
        "token_required": False,
    }
    assert requests.get(f"{server.http}/report", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")],
)
def test_the_page(server: Address, path: str, kind: str) -> None:
    response = requests.get(server.http + path, timeout=30)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith(kind)


def test_the_report_of_the_run_that_pushed_the_version(tmp_path: Path) -> None:
    model = tmp_path / "run" / "serving_model" / "pneumonia"
    report = tmp_path / "run" / "report"
    report.mkdir(parents=True)
    (report / "report.html").write_text("<p>Good.</p>")
    (report / "metrics.json").write_text(json.dumps({"pushed_version": "12"}))
    save(model, 12, explains=False)
    assert report_of(model, 11) is None
    with serving(model) as address:
        assert requests.get(f"{address.http}/about", timeout=30).json()["report"] is True
        response = requests.get(f"{address.http}/report", timeout=30)
        assert response.text == "<p>Good.</p>"
        assert response.headers["Content-Type"].startswith("text/html")
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
        assert "script-src" not in policy
        found = requests.post(f"{address.http}/readings", png(51), timeout=30).json()
        assert found["label"] == "NORMAL"
        assert found["heatmap"] is found["seen"] is None


@pytest.mark.parametrize("metrics", [None, "{", "[]", "{}", '{"pushed_version": null}'])
def test_a_run_that_tells_nothing_has_no_report(tmp_path: Path, metrics: str | None) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("")
    if metrics is not None:
        (tmp_path / "report" / "metrics.json").write_text(metrics)
    assert report_of(tmp_path / "serving_model" / "pneumonia", 1) is None


def test_metrics(served_folder: Path) -> None:
    with serving(served_folder) as address:
        for level in (51, 204, 204):
            requests.post(f"{address.http}/readings", png(level), timeout=30)
        requests.post(f"{address.http}/readings", b"", timeout=30)
        text = requests.get(f"{address.http}/monitoring/prometheus/metrics", timeout=30).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['cxr_films_total{label="PNEUMONIA",model_version="7"}'] == "2.0"
    assert lines['cxr_films_total{label="NORMAL",model_version="7"}'] == "1.0"
    assert lines['cxr_requests_total{api="rest",call="read",status="200"}'] == "3.0"
    assert lines['cxr_requests_total{api="rest",call="read",status="400"}'] == "1.0"
    assert lines['cxr_request_seconds_count{api="rest",call="read"}'] == "4.0"
    assert lines["cxr_batch_films_count"] == lines["cxr_batch_films_sum"] == "3.0"
    assert lines["cxr_requests_under_way"] == "0.0"
    assert float(lines["process_resident_memory_bytes"]) > 0


def test_without_a_version_it_lives_and_is_not_ready(tmp_path: Path) -> None:
    import asyncio
    import threading

    from serving.server.application import Server, Settings

    (tmp_path / "pneumonia").mkdir()
    server, started = Server(Settings(tmp_path / "pneumonia", LOCAL)), []
    ready = threading.Event()

    def note(port: int, _: int) -> None:
        started.append(port)
        ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(server.serve(note)))
    thread.start()
    assert ready.wait(60)
    url = f"http://127.0.0.1:{started[0]}"
    statuses = {
        path: requests.get(url + path, timeout=30).status_code
        for path in ("/", "/healthz", "/readyz", "/about", "/v1/models/pneumonia")
    }
    server.stop()
    thread.join(60)
    assert statuses == {
        "/": 200,
        "/healthz": 200,
        "/readyz": 503,
        "/about": 404,
        "/v1/models/pneumonia": 404,
    }
