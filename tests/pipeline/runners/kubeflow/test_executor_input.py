from typing import Any

from pipeline.runners.kubeflow.executor_input import (
    from_tfx,
    push_destination,
    refusal,
    report_name,
    to_tfx,
)

EXAMPLES = {"artifactType": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}}
MODEL = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}


def told() -> dict[str, Any]:
    return {
        "inputs": {
            "artifacts": {
                "examples": {
                    "artifacts": [
                        {"uri": "s3://b/e", "type": {"instanceSchema": ""}, "metadata": {"x": 1}}
                    ]
                }
            },
            "parameterValues": {"seed": 1, "push_destination": '{"a": "minio://m/p/q"}'},
        },
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [{"uri": "gs://b/run/model"}]},
                "executor-logs": {
                    "artifacts": [{"uri": "gs://b/log", "type": {"schemaTitle": "system.Artifact"}}]
                },
            },
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }


def test_a_node_sees_what_it_declares_typed_and_here() -> None:
    before = told()
    local = to_tfx(
        before, {"artifacts": {"examples": EXAMPLES}}, {"artifacts": {"model": MODEL}}, "/"
    )
    assert local == {
        "inputs": {
            "artifacts": {
                "examples": {
                    "artifacts": [
                        {"uri": "/s3/b/e", "type": EXAMPLES["artifactType"], "metadata": {"x": 1}}
                    ]
                }
            },
            "parameterValues": {"seed": 1, "push_destination": '{"a": "/minio/m/p/q"}'},
        },
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [{"uri": "/gcs/b/run/model", "type": MODEL["artifactType"]}]}
            },
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }
    assert before == told()


def test_a_node_that_takes_nothing() -> None:
    bare = {"outputs": {"artifacts": {"model": {"artifacts": [{"uri": "s3://b/m"}]}}}}
    local = to_tfx(bare, {}, {"artifacts": {"model": MODEL}}, "/pod")
    assert local["inputs"] == {"artifacts": {}}
    assert local["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"] == "/pod/s3/b/m"


def test_the_answer_has_the_addresses_back() -> None:
    made = {
        "artifacts": {
            "pushed_model": {
                "artifacts": [
                    {
                        "uri": "/pod/s3/b/pushed",
                        "metadata": {
                            "pushed": 1.0,
                            "pushed_destination": "/pod/minio/m/9",
                            "pushed_version": "9",
                        },
                    }
                ]
            }
        }
    }
    (answered,) = from_tfx(made, "/pod")["artifacts"]["pushed_model"]["artifacts"]
    assert answered == {
        "uri": "s3://b/pushed",
        "metadata": {
            "pushed": 1.0,
            "pushed_destination": "minio://m/9",
            "pushed_version": "9",
        },
    }


def test_where_a_node_pushes() -> None:
    assert push_destination(told()) == "minio://m/p/q"
    for value in ("/models/pneumonia", '{"filesystem": {"base_directory": "/models/p"}}'):
        given = {"inputs": {"parameterValues": {"push_destination": value}}}
        assert push_destination(given) is None
    assert push_destination({"inputs": {}}) is None


def judged(blessed: float, **given: Any) -> dict[str, Any]:
    blessing = {"artifacts": [{"metadata": {"blessed": blessed}}]}
    return {"inputs": {"artifacts": {"model_blessing": blessing, **given}}}


def pushed_model(**metadata: Any) -> dict[str, Any]:
    return {"pushed_model": {"artifacts": [{"metadata": metadata}]}}


def test_why_nothing_is_pushed() -> None:
    def answered(pushed: float) -> dict[str, Any]:
        return {"artifacts": pushed_model(pushed=pushed)}

    assert refusal(judged(1.0), answered(1.0)) is None
    assert refusal(judged(0.0), answered(0.0)) == "the gate refused the model"
    assert refusal(judged(1.0), answered(0.0)) == "the model failed the check of its serving"
    assert refusal(judged(0.0), {"artifacts": {"model": {}}}) is None


def test_why_nothing_was_pushed_before_a_node() -> None:
    made: dict[str, Any] = {"artifacts": {"report": {}}}
    assert refusal(judged(1.0, **pushed_model(pushed=1.0)), made) is None
    assert refusal(judged(0.0, **pushed_model(pushed=0.0)), made) == "the gate refused the model"


def test_a_report_is_named_after_the_version_or_the_run() -> None:
    uri = "minio://pipelines/v2/artifacts/chest-xray-pneumonia/0a1b-2c/Reporter/9/report"
    outputs = {"outputs": {"artifacts": {"report": {"artifacts": [{"uri": uri}]}}}}
    pushed = judged(1.0, **pushed_model(pushed=1.0, pushed_version="1764"))
    assert report_name({**pushed, **outputs}) == "1764"
    assert report_name({**judged(0.0, **pushed_model(pushed=0.0)), **outputs}) == "0a1b-2c"
