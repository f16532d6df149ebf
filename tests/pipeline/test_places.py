import pytest

from pipeline import places

# Addresses and paths as Kubeflow's launcher pairs them.
PAIRS = [
    ("gs://bucket/a/b", "/gcs/bucket/a/b"),
    ("minio://mlpipeline/v2/artifacts/x", "/minio/mlpipeline/v2/artifacts/x"),
    ("s3://bucket/run/node/examples", "/s3/bucket/run/node/examples"),
]


@pytest.mark.parametrize(("uri", "path"), PAIRS)
def test_there_and_back(uri: str, path: str) -> None:
    assert places.to_local(uri) == path
    assert places.to_remote(path) == uri
    assert places.to_local(uri, "/tmp/pod") == f"/tmp/pod{path}"
    assert places.to_remote(f"/tmp/pod{path}", "/tmp/pod") == uri


@pytest.mark.parametrize("path", ["/models/pneumonia/12", "/s3x/bucket/a", "relative", ""])
def test_other_paths_stay(path: str) -> None:
    assert places.to_local(path) == path
    assert places.to_remote(path) == path


def test_parts() -> None:
    assert places.parse("pvc://a-claim", ("pvc",)) == ("pvc", "a-claim", "")
    assert places.parse("s3://bucket/a/b/", ("s3",)) == ("s3", "bucket", "a/b")
    for wrong in ("pvc://A_claim", "pvc:/claim", "pvc://claim//a", "s3://b", "pvc://c/../d", "pvc"):
        assert places.parse(wrong, ("pvc",)) is None
