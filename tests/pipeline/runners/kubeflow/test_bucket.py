import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from components.evaluator.champion import candidate_key
from components.shared.errors import InputError
from pipeline.runners.kubeflow.bucket import Versions, send_folder
from support.object_store import Server, Store

URI = "minio://models/reader/pneumonia"


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def version(number: int, candidate: str = "", champion: str = "") -> dict[str, bytes]:
    note = {"candidate": candidate_key(candidate), "champion": champion, "threshold": 0.5}
    start = f"reader/pneumonia/{number}"
    return {
        f"{start}/saved_model.pb": b"graph %d" % number,
        f"{start}/variables/variables.index": b"index %d" % number,
        f"{start}/assets.extra/evaluation.json": json.dumps(note).encode(),
    }


def test_the_latest_is_the_highest_that_is_complete(store: Store, tmp_path: Path) -> None:
    versions = Versions(URI, tmp_path)
    assert versions.latest() == ""
    store.put("models", {**version(9), **version(10)})
    store.put(
        "models",
        {
            "reader/pneumonia/11/variables/variables.index": b"",
            "reader/pneumonia/x/saved_model.pb": b"",
            "reader/pneumonia/12/sub/saved_model.pb": b"",
            "reader/pneumonia2/13/saved_model.pb": b"",
            "reader/pneumonia/\u0661\u0664/saved_model.pb": b"",
            f"reader/pneumonia/{2**63}/saved_model.pb": b"",
        },
    )
    assert versions.latest() == "10"
    # The next one is to be above half a version too.
    versions.fetch_numbers()
    assert {path.name for path in tmp_path.iterdir()} == {"9", "10", "11", "12"}


def test_the_champion_of_another_model_is_the_latest(store: Store, tmp_path: Path) -> None:
    store.put("models", {**version(9), **version(10, "/s3/a/model", "9")})
    # A store's console makes such keys; they are no files.
    store.put("models", {"reader/pneumonia/10/variables/": b""})
    Versions(URI, tmp_path).fetch_champion("/s3/b/model")
    assert set(files(tmp_path)) == {
        "10/saved_model.pb",
        "10/variables/variables.index",
        "10/assets.extra/evaluation.json",
    }


def test_the_champion_of_the_model_that_is_served_is_the_one_before(
    store: Store, tmp_path: Path
) -> None:
    store.put("models", {**version(8), **version(9), **version(10, "/s3/a/model", "9")})
    Versions(URI, tmp_path).fetch_champion("/s3/a/model")
    assert {path.split("/")[0] for path in files(tmp_path)} == {"9", "10"}
    assert files(tmp_path)["9/variables/variables.index"] == b"index 9"


def make_version(folder: Path) -> None:
    (folder / "7" / "variables").mkdir(parents=True)
    (folder / "7" / "saved_model.pb").write_bytes(b"graph")
    (folder / "7" / "variables" / "variables.index").write_bytes(b"index")


def test_the_file_that_makes_a_version_comes_last(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(tmp_path)
    versions = Versions(URI, tmp_path)
    order: list[str] = []
    upload = versions._client.upload_file

    def note(path: str, bucket: str, key: str, **more: Any) -> None:
        order.append(key)
        upload(path, bucket, key, **more)

    monkeypatch.setattr(versions._client, "upload_file", note)
    versions.push("7", "me")
    start = "reader/pneumonia/7"
    assert order == [f"{start}/variables/variables.index", f"{start}/saved_model.pb"]
    assert store.objects("models") == {
        f"{start}/saved_model.pb": b"graph",
        f"{start}/variables/variables.index": b"index",
    }


def test_half_a_version_does_not_stay(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(tmp_path)
    versions = Versions(URI, tmp_path)
    upload = versions._client.upload_file

    def fail_at_the_end(path: str, bucket: str, key: str, **more: Any) -> Any:
        if key.endswith("saved_model.pb"):
            raise boto3.exceptions.S3UploadFailedError("no space left")
        return upload(path, bucket, key, **more)

    monkeypatch.setattr(versions._client, "upload_file", fail_at_the_end)
    with pytest.raises(InputError, match=f"^The push destination {URI} cannot be used: no space"):
        versions.push("7", "me")
    assert store.objects("models") == {}


def test_half_a_version_of_a_lost_pod_is_taken_away_by_its_successor(
    store: Store, tmp_path: Path
) -> None:
    make_version(tmp_path)
    versions = Versions(URI, tmp_path)
    versions.push("7", "me")
    start = "reader/pneumonia/7"
    store.client.delete_object(Bucket="models", Key=f"{start}/saved_model.pb")
    # Another pusher may be sending it still; nor is a whole version half a one.
    versions.discard_half("another")
    assert list(store.objects("models")) == [f"{start}/variables/variables.index"]
    (tmp_path / "7").rename(tmp_path / "8")
    versions.push("8", "me")
    versions.discard_half("me")
    assert {key.split("/")[2] for key in store.objects("models")} == {"8"}


def test_a_store_that_takes_nothing_tells_why(
    store_server: Server, store: Store, tmp_path: Path
) -> None:
    make_version(tmp_path)
    versions = Versions(URI, tmp_path)
    with (
        store_server.refusing("PUT", "POST", "DELETE"),
        pytest.raises(InputError, match=r"cannot be used: .*AccessDenied.*PutObject operation"),
    ):
        versions.push("7", "me")


def test_a_bucket_that_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^The push destination s3://other/m cannot be used: .*Bu"
    ):
        Versions("s3://other/m", tmp_path).latest()


def test_a_folder_is_sent_over_what_is_there(store: Store, tmp_path: Path) -> None:
    (tmp_path / "errors").mkdir()
    (tmp_path / "report.html").write_bytes(b"new")
    (tmp_path / "errors" / "000.png").write_bytes(b"picture")
    store.put("models", {"reader/reports/7/report.html": b"old", "reader/other": b"other"})
    send_folder("s3://models/reader/reports/7", tmp_path)
    assert store.objects("models") == {
        "reader/reports/7/report.html": b"new",
        "reader/reports/7/errors/000.png": b"picture",
        "reader/other": b"other",
    }
    with pytest.raises(InputError, match=r"^The push destination s3://gone/7 cannot be used: "):
        send_folder("s3://gone/7", tmp_path)
