"""A cluster on this machine: runs compiled pipelines, one pod after the other."""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from support.kfp_cluster import driver
from support.kfp_cluster.driver import Artifact, Message
from support.kfp_cluster.launcher import Launcher, LaunchError, local_path
from support.kfp_cluster.pods import Claim, Order, Pods, clear
from support.object_store import Store

KILLED = 137
_LONGEST_S = 600
_PLACEHOLDER = "{{$}}"

# Around one attempt at a node: what befalls it. Inside, says whether the pod's machine is lost.
Mishap = Callable[[], AbstractContextManager[Callable[[], bool]]]


@dataclass(frozen=True)
class Attempt:
    """One pod of a node: its exit status and what it said."""

    status: int
    log: str


@dataclass
class Node:
    """What came of one node: its pods, none where it came from the cache, and its outputs."""

    attempts: list[Attempt] = field(default_factory=list)
    outputs: Mapping[str, Artifact] = field(default_factory=dict)

    @property
    def statuses(self) -> list[int]:
        return [attempt.status for attempt in self.attempts]


@dataclass
class Run:
    """What came of a run; a node that fails ends it.

    Attributes:
        root: address of its artifacts.
        nodes: those that it came to, in their order.
        succeeded: whether all nodes did.
    """

    root: str
    nodes: dict[str, Node] = field(default_factory=dict)
    succeeded: bool = False

    @property
    def cached(self) -> list[str]:
        return [name for name, node in self.nodes.items() if not node.attempts]


class Cluster:
    """Kubeflow Pipelines: its store, its cache, and its way to start pods."""

    def __init__(
        self,
        pods: Pods,
        store: Store,
        root: str,
        folder: Path,
        claims: Mapping[str, Claim],
        secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Sets up a cluster that has run nothing.

        Args:
            pods: how pods are started.
            store: has the artifacts.
            root: their address.
            folder: for the pods' files and logs.
            claims: by name.
            secrets: by name, and within by key.
        """
        self._pods, self._root, self._folder = pods, root, folder
        self._claims, self._secrets = claims, secrets
        # The same for every pod, as a pod's root is.
        self._files = folder / "pod"
        self._launcher = Launcher(store, self._files)
        self._cache: dict[str, Mapping[str, Artifact]] = {}
        (folder / "logs").mkdir()

    def run(
        self,
        compiled: str,
        mishaps: Mapping[str, list[Mishap]] | None = None,
        publish_logs: bool = True,
    ) -> Run:
        """Runs a pipeline to its end, or to the first node that fails for good.

        Args:
            compiled: its two documents.
            mishaps: what befalls the first attempts at a node.
            publish_logs: whether logs are artifacts too, as by default.
        """
        spec, platform = yaml.safe_load_all(compiled)
        driver.check(spec, platform)
        run = Run(f"{self._root}/{spec['pipelineInfo']['name']}/{uuid.uuid4()}")
        made: dict[str, Mapping[str, Artifact]] = {}
        tasks = spec["root"]["dag"]["tasks"]
        for name in driver.order(tasks):
            told = driver.executor_input(spec, name, made, run.root, publish_logs)
            label = spec["components"][tasks[name]["componentRef"]["name"]]["executorLabel"]
            container = spec["deploymentSpec"]["executors"][label]["container"]
            config = driver.executor_config(platform, label)
            node = run.nodes[name] = Node()
            befalling = (mishaps or {}).get(name, [])
            if not self._run_node(node, tasks[name], told, container, config, befalling):
                return run
            made[name] = node.outputs
        run.succeeded = True
        return run

    def _run_node(
        self,
        node: Node,
        task: Message,
        told: Message,
        container: Message,
        config: Message,
        mishaps: list[Mishap],
    ) -> bool:
        claims = [mount["constant"] for mount in config.get("pvcMount", [])]
        key = driver.fingerprint(told, container, claims)
        cacheable = task.get("cachingOptions", {}).get("enableCache", False)
        if cacheable and key in self._cache:
            node.outputs = self._cache[key]
            return True
        order = self._order(told, container, config)
        for number in range(1 + task.get("retryPolicy", {}).get("maxRetryCount", 0)):
            mishap = mishaps[number] if number < len(mishaps) else _nothing
            with mishap() as lost:
                attempt, node.outputs = self._attempt(order, told, lost)
            node.attempts.append(attempt)
            if attempt.status == 0:
                if cacheable:
                    self._cache[key] = node.outputs
                return True
        return False

    def _order(self, told: Message, container: Message, config: Message) -> Order:
        env = {one["name"]: one["value"] for one in container.get("env", [])}
        for secret in config.get("secretAsEnv", []):
            content = self._secrets[secret["secretName"]]
            env |= {pair["envVar"]: content[pair["secretKey"]] for pair in secret["keyToEnv"]}
        command = [*container["command"], *container["args"]]
        mounts = config.get("pvcMount", [])
        return Order(
            image=container["image"],
            command=[text.replace(_PLACEHOLDER, json.dumps(told)) for text in command],
            env=env,
            root=self._files,
            mounts={mount["mountPath"]: self._claims[mount["constant"]] for mount in mounts},
            log=self._folder / "logs" / f"{uuid.uuid4()}.log",
        )

    def _attempt(
        self, order: Order, told: Message, lost: Callable[[], bool]
    ) -> tuple[Attempt, Mapping[str, Artifact]]:
        clear(order.root)
        order.log.unlink(missing_ok=True)
        try:
            self._launcher.prepare(told)
            status = self._wait(order, lost)
            log = order.log.read_text("utf-8")
            if status != 0:
                return Attempt(status, log), {}
            if driver.LOGS in (outputs := told["outputs"]["artifacts"]):
                path = local_path(outputs[driver.LOGS]["artifacts"][0]["uri"], order.root)
                shutil.copy(order.log, str(path))
            return Attempt(0, log), self._launcher.collect(told)
        except (LaunchError, OSError) as error:
            return Attempt(1, f"{type(error).__name__}: {error}"), {}

    def _wait(self, order: Order, lost: Callable[[], bool]) -> int:
        pod = self._pods.start(order)
        deadline = time.monotonic() + _LONGEST_S
        while (status := pod.poll()) is None:
            if lost() or time.monotonic() > deadline:
                pod.kill()
                return KILLED
            time.sleep(0.02)
        return status


def _nothing() -> AbstractContextManager[Callable[[], bool]]:
    return nullcontext(lambda: False)
