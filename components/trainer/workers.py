"""Training on several devices or machines, by tf.distribute."""

import os
from collections.abc import Sequence

import tensorflow as tf

from components.shared.errors import InputError

NONE, MIRRORED, MULTI_WORKER = "none", "mirrored", "multi_worker"


def strategy_for(distribution: str) -> tf.distribute.Strategy:
    """Returns the strategy of a setting.

    Args:
        distribution: `none`; `mirrored`, all GPUs of this machine; `multi_worker`, the processes
            that the environment's TF_CONFIG names, each of which runs the same `run_fn` with the
            same folders. It must be the first that this process asks of TensorFlow.

    Raises:
        InputError: TF_CONFIG is missing, or TensorFlow has been used before.
    """
    if distribution == MIRRORED:
        return tf.distribute.MirroredStrategy()
    if distribution == NONE:
        return tf.distribute.get_strategy()
    if not os.environ.get("TF_CONFIG"):
        raise InputError(
            "trainer.distribution is 'multi_worker', but the environment has no TF_CONFIG that "
            "names the workers: let each of them run cxr train-worker."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise InputError(
            "trainer.distribution is 'multi_worker', which needs a process of its own for each "
            f"worker: {error}"
        ) from error


def is_chief() -> bool:
    """Whether this process is the one that writes; the current strategy tells."""
    return _leads(tf.distribute.get_strategy().cluster_resolver)


def will_be_chief() -> bool:
    """Whether TF_CONFIG makes this process the one that writes; asks nothing of TensorFlow."""
    return _leads(tf.distribute.cluster_resolver.TFConfigClusterResolver())


def _leads(resolver: tf.distribute.cluster_resolver.ClusterResolver | None) -> bool:
    if resolver is None or resolver.task_type is None:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_type == "worker" and resolver.task_id == 0)


def from_chief(values: Sequence[float]) -> list[float]:
    """Returns the chief's values on every worker, bit by bit; all of them must ask at once.

    Workers that each decide by numbers of their own would part ways, and wait for one another.

    Args:
        values: this worker's; of the others than the chief only how many there are counts.
    """
    strategy = tf.distribute.get_strategy()

    def on_replica(own: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        # Not a product: what is no number stays none with a factor of 0.
        return tf.where(tf.equal(replica, 0), own, tf.zeros_like(own))

    @tf.function(autograph=False)
    def gather(own: tf.Tensor) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(on_replica, args=(own,)), axis=None)

    return [float(value) for value in gather(tf.constant(values, tf.float64)).numpy()]


def check_batch(batch_size: int) -> None:
    """Refuses a batch of which the replicas would get unequal shares, and so unequal weights.

    Raises:
        InputError: the replicas of the current strategy do not divide it.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"trainer.batch_size is {batch_size}, which the {replicas} devices that train together "
            "cannot share equally: give a multiple of their number."
        )


def worker_name() -> str:
    """Returns a name for this process among the workers, fit for a folder."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None or resolver.task_type is None:
        return "worker-0"
    return f"{resolver.task_type}-{resolver.task_id}"
