"""The manifests as files: against the schemas of those who read them, and against each other."""

import http.server
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from pipeline.cli import main
from serving import manifests
from support.manifest_schemas import KSERVE_KINDS, check_compose, check_kserve, check_kubernetes
from support.pushed_run import make_run

COMMITTED = Path(manifests.__file__).parent / "templates"
Document = dict[str, Any]


class Rendered(NamedTuple):
    """What `cxr kubeflow serving` has made.

    Attributes:
        folder: of the manifests.
        name: of the model.
        stable: version.
        newest: the canary's version, or the stable one's.
        run: folder.
    """

    folder: Path
    name: str
    stable: str
    newest: str
    run: Path

    def yaml(self, path: str) -> Any:
        return yaml.safe_load((self.folder / path).read_text())

    @property
    def documents(self) -> dict[str, Document]:
        paths = sorted(self.folder.rglob("*.yaml"))
        return {str(path.relative_to(self.folder)): self.yaml(str(path)) for path in paths}


@pytest.fixture(scope="module")
def renderings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rendered]:
    """The defaults; a canary of another model in a namespace; models in volumes and a bucket."""

    def make(name: str, versions: tuple[str, ...], newest: str, *options: str) -> Rendered:
        root = tmp_path_factory.mktemp(name)
        run = make_run(root / "runs" / "default", name, *versions)
        folder = root / "kubeflow" / "serving"
        assert main(["kubeflow", "serving", str(run), "--output", str(folder), *options]) == 0
        return Rendered(folder, name, versions[-1] if not options else versions[0], newest, run)

    canary = ("--canary", "9", "--namespace", "chest")
    return {
        "default": make("pneumonia", ("1",), "1"),
        "canary": make("tb-2", ("8", "9"), "9", *canary),
        "claim": make("pneumonia", ("3",), "3", "--storage", "pvc://films/served/here"),
        "claim's root": make("pneumonia", ("3",), "3", "--storage", "pvc://films/"),
        "bucket": make("pneumonia", ("3",), "3", "--storage", "s3://films/pneumonia"),
    }


CASES = ("default", "canary", "claim", "claim's root", "bucket")
MOUNTED = CASES[:-1]


def test_the_defaults_are_the_committed_files(renderings: dict[str, Rendered]) -> None:
    folder = renderings["default"].folder

    def paths(root: Path) -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    assert paths(folder) == paths(COMMITTED)
    for path in paths(COMMITTED):
        committed, rendered = (COMMITTED / path).read_text(), (folder / path).read_text()
        if path.endswith(".yaml"):
            assert yaml.safe_load(rendered) == yaml.safe_load(committed), path
        else:
            assert rendered.split("\n", 1)[1] == committed, path


def check(path: str, document: Document) -> None:
    if path == "compose.yaml":
        check_compose(document)
    elif document["kind"] in KSERVE_KINDS:
        check_kserve(document)
    else:
        check_kubernetes(document)


@pytest.mark.parametrize("case", ["default", "canary", "claim's root"])
def test_every_file_is_valid_by_its_schema(renderings: dict[str, Rendered], case: str) -> None:
    documents = renderings[case].documents
    for path, document in documents.items():
        check(path, document)
    assert {"compose.yaml", "kserve/inferenceservice.yaml"} < set(documents)


@pytest.mark.parametrize(
    ("path", "keys", "value"),
    [
        ("compose.yaml", ("services", "tf-serving", "portz"), []),
        ("compose.yaml", ("services", "tf-serving", "read_only"), [1]),
        ("kubernetes/deployment.yaml", ("spec", "replica"), 2),
        ("kubernetes/deployment.yaml", ("spec", "template", "spec", "containers"), [{"nam": "a"}]),
        ("kubernetes/networkpolicy.yaml", ("spec", "egress"), "none"),
        ("kserve/inferenceservice.yaml", ("spec", "predictor", "canaryTraffic"), 10),
        ("kserve/inferenceservice.yaml", ("spec", "predictor", "model", "storageUri"), 1),
        (
            "kserve/inferenceservice.yaml",
            ("spec", "predictor", "model", "modelFormat"),
            {"nam": ""},
        ),
        ("kserve/servingruntime.yaml", ("spec", "securityContext"), {}),
        ("kserve/servingruntime.yaml", ("spec", "volumes"), [{"name": "a", "emptyDirs": {}}]),
    ],
)
def test_the_schemas_find_a_mistake(path: str, keys: tuple[str, ...], value: object) -> None:
    document = yaml.safe_load((COMMITTED / path).read_text())
    check(path, document)
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check(path, document)


def test_kserve_needs_a_predictor_and_containers() -> None:
    for path, key in (("inferenceservice", "predictor"), ("servingruntime", "containers")):
        document = yaml.safe_load((COMMITTED / f"kserve/{path}.yaml").read_text())
        del document["spec"][key]
        with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
            check_kserve(document)


def models_config(text: str) -> Any:
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    return model


@pytest.mark.parametrize("case", CASES)
def test_the_models_config_names_the_model_its_versions_and_labels(
    renderings: dict[str, Rendered], case: str
) -> None:
    made = renderings[case]
    model = models_config((made.folder / "config/models.config").read_text())
    assert (model.name, model.model_platform) == (made.name, "tensorflow")
    labels = {"stable": int(made.stable)}
    if case == "canary":
        labels["canary"] = int(made.newest)
    assert dict(model.version_labels) == labels
    versions = list(model.model_version_policy.specific.versions)
    assert versions == sorted(labels.values())
    served = made.run / "serving_model" / made.name
    assert all((served / str(version) / "saved_model.pb").is_file() for version in versions)


def settings(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def batching(text: str) -> dict[str, str]:
    """Reads `field { value: V }`, the text of a proto's wrapped value, on each line."""
    lines = settings(text).splitlines()
    found = [re.fullmatch(r'(\w+) \{ value: (\d+|"\w+") \}', line) for line in lines]
    assert all(found)
    return {field[1]: field[2] for field in found if field}


# No package that goes with TFX has the protos of these two files.
def test_batches_are_of_32_and_wait_for_nothing() -> None:
    assert batching((COMMITTED / "config/batching.config").read_text()) == {
        "max_batch_size": "32",
        "batch_timeout_micros": "0",
        "num_batch_threads": "2",
        "max_enqueued_batches": "8",
        "thread_pool_name": '"films"',
    }


def test_prometheus_is_on() -> None:
    text = settings((COMMITTED / "config/monitoring.config").read_text())
    assert "".join(text.split()) == (
        'prometheus_config{enable:truepath:"/monitoring/prometheus/metrics"}'
    )


def flags(arguments: list[str]) -> dict[str, str]:
    pairs = [argument.removeprefix("--").split("=") for argument in arguments]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def named(parts: list[Document], name: str) -> Document:
    (part,) = [part for part in parts if part["name"] == name]
    return part


def check_flags(found: dict[str, str], config: Document, container: Document) -> None:
    """What the server is told agrees with the files that it finds and the cores that it has."""
    mount = named(container["volumeMounts"], "config")
    assert mount["readOnly"]
    assert "subPath" not in mount
    for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        folder, _, file = found[flag].rpartition("/")
        assert folder == mount["mountPath"]
        assert file in config["data"]
    cores = container["resources"]["limits"]["cpu"]
    assert found["tensorflow_intra_op_parallelism"] == cores
    assert found["tensorflow_inter_op_parallelism"] == cores
    assert batching(config["data"]["batching.config"])["num_batch_threads"] == cores
    assert found["enable_batching"] == "true"


def check_confined(container: Document) -> None:
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert re.fullmatch(r"tensorflow/serving:2\.16\.\d+", container["image"])


@pytest.mark.parametrize("case", MOUNTED)
def test_kubernetes_objects_agree(renderings: dict[str, Rendered], case: str) -> None:
    made = renderings[case]
    config = made.yaml("kubernetes/configmap.yaml")
    deployment = made.yaml("kubernetes/deployment.yaml")
    template = deployment["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    (container,) = pod["containers"]
    found = flags(container["args"])
    check_flags(found, config, container)
    check_confined(container)
    assert pod["securityContext"]["runAsNonRoot"]
    assert named(pod["volumes"], "config")["configMap"]["name"] == config["metadata"]["name"]

    model = models_config(config["data"]["models.config"])
    models = named(container["volumeMounts"], "models")
    assert model.base_path == models["mountPath"]
    assert models["readOnly"]

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(found["port"]), "rest": int(found["rest_api_port"])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = container[probe]["httpGet"]
        assert get == {"path": f"/v1/models/{model.name}", "port": "rest"}
    scrape = template["metadata"]["annotations"]
    assert scrape["prometheus.io/port"] == str(ports["rest"])
    assert scrape["prometheus.io/path"] in config["data"]["monitoring.config"]

    service = made.yaml("kubernetes/service.yaml")["spec"]
    assert {port["name"]: port["port"] for port in service["ports"]} == ports
    assert {port["targetPort"] for port in service["ports"]} == set(ports)
    policy = made.yaml("kubernetes/networkpolicy.yaml")["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == set(ports)
    budget = made.yaml("kubernetes/poddisruptionbudget.yaml")["spec"]
    assert budget["minAvailable"] < deployment["spec"]["replicas"]
    (spread,) = pod["topologySpreadConstraints"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["selector"],
        policy["podSelector"]["matchLabels"],
        budget["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert made.name in selector.values()


@pytest.mark.parametrize(
    ("case", "claim", "path"),
    [
        ("default", "pneumonia-models", "pneumonia"),
        ("canary", "tb-2-models", "tb-2"),
        ("claim", "films", "served/here"),
        ("claim's root", "films", None),
    ],
)
def test_both_mount_the_folder_of_versions(
    renderings: dict[str, Rendered], case: str, claim: str, path: str | None
) -> None:
    made = renderings[case]
    pod = made.yaml("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    volume = named(pod["volumes"], "models")["persistentVolumeClaim"]
    assert volume == {"claimName": claim, "readOnly": True}
    assert named(pod["containers"][0]["volumeMounts"], "models").get("subPath") == path
    kserve = made.yaml("kserve/inferenceservice.yaml")["spec"]["predictor"]["model"]
    assert kserve["storageUri"].rstrip("/") == "/".join(filter(None, ("pvc:/", claim, path)))
    own = made.folder / "persistentvolumeclaim.yaml"
    assert own.exists() == (claim == f"{made.name}-models")
    if own.exists():
        assert made.yaml(own.name)["metadata"]["name"] == claim


def test_of_a_bucket_there_is_kserve_alone(renderings: dict[str, Rendered]) -> None:
    made = renderings["bucket"]
    assert set(made.documents) == {
        "compose.yaml",
        "kserve/configmap.yaml",
        "kserve/inferenceservice.yaml",
        "kserve/servingruntime.yaml",
    }
    model = made.yaml("kserve/inferenceservice.yaml")["spec"]["predictor"]["model"]
    assert model["storageUri"] == "s3://films/pneumonia"


@pytest.mark.parametrize("case", CASES)
def test_kserve_objects_agree(renderings: dict[str, Rendered], case: str) -> None:
    made = renderings[case]
    config = made.yaml("kserve/configmap.yaml")
    runtime = made.yaml("kserve/servingruntime.yaml")
    service = made.yaml("kserve/inferenceservice.yaml")
    predictor = service["spec"]["predictor"]
    (container,) = runtime["spec"]["containers"]
    found = flags(container["args"])
    check_flags(found, config, container)
    check_confined(container)
    assert container["securityContext"]["runAsNonRoot"]

    # Clients ask KServe for the model by the service's name.
    assert service["metadata"]["name"] == made.name
    assert predictor["model"]["runtime"] == runtime["metadata"]["name"]
    assert named(predictor["volumes"], "config")["configMap"]["name"] == config["metadata"]["name"]
    (model_format,) = runtime["spec"]["supportedModelFormats"]
    assert predictor["model"]["modelFormat"].items() <= model_format.items()
    assert predictor.get("canaryTrafficPercent") == (10 if case == "canary" else None)

    assert config["metadata"]["name"] == f"{made.name}-{made.newest}"
    model = models_config(config["data"]["models.config"])
    assert (model.name, model.base_path) == (made.name, "/mnt/models")
    assert list(model.model_version_policy.specific.versions) == [int(made.newest)]
    assert not model.version_labels

    (port,) = container["ports"]
    assert port["containerPort"] == int(found["rest_api_port"])
    assert runtime["spec"]["annotations"]["prometheus.kserve.io/port"] == found["rest_api_port"]
    for probe in ("readinessProbe", "livenessProbe"):
        get = container[probe]["httpGet"]
        assert get == {"path": f"/v1/models/{made.name}", "port": port["containerPort"]}


@pytest.mark.parametrize("case", MOUNTED)
def test_compose_agrees_with_kubernetes(renderings: dict[str, Rendered], case: str) -> None:
    made = renderings[case]
    (service,) = made.yaml("compose.yaml")["services"].values()
    deployment = made.yaml("kubernetes/deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["image"] == container["image"]
    assert service["entrypoint"] == container["command"]
    assert service["command"] == container["args"]
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert service["read_only"]
    mounts = {mount["target"]: mount for mount in service["volumes"]}
    assert all(mount["read_only"] for mount in mounts.values())
    assert set(mounts) == {
        mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] != "tmp"
    }
    models = made.folder / mounts[f"/models/{made.name}"]["source"]
    assert models.resolve() == made.run / "serving_model" / made.name
    config = made.folder / mounts["/etc/tensorflow-serving"]["source"]
    in_cluster = made.yaml("kubernetes/configmap.yaml")["data"]
    for name, text in in_cluster.items():
        assert (config / name).read_text().split("\n", 1)[1] == text
    assert len(in_cluster) == 3


def test_the_namespace_and_the_name_are_everywhere(renderings: dict[str, Rendered]) -> None:
    made = renderings["canary"]
    for path, document in made.documents.items():
        assert "pneumonia" not in str(document)
        if path != "compose.yaml":
            assert document["metadata"]["namespace"] == "chest"
            assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "tb-2"
    for document in renderings["default"].documents.values():
        assert "namespace" not in document.get("metadata", {})


@contextmanager
def status_server(body: bytes) -> Iterator[int]:
    """Answers as TensorFlow Serving does on the status of the model pneumonia; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models/pneumonia"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(body if known else b"")

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_health_check_of_compose_asks_for_an_available_version() -> None:
    service = yaml.safe_load((COMMITTED / "compose.yaml").read_text())["services"]["tf-serving"]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"

    def status(port: int) -> int:
        # Compose reads $ as a variable.
        assert "$" not in command[-1]
        asked = command[-1].replace("8501", str(port))
        return subprocess.run([*command[:-1], asked], capture_output=True, timeout=10).returncode

    with status_server(b'{"model_version_status": [{"state": "AVAILABLE"}]}') as port:
        assert status(port) == 0
    assert status(port) != 0
    broken = b'{"model_version_status": [{"state": "END", "error_code": "UNAVAILABLE"}]}'
    with status_server(broken) as port:
        assert status(port) != 0
