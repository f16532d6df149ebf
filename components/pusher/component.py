"""Pusher whose versions appear whole or not at all."""

from tfx.components import Pusher
from tfx.dsl.components.base import executor_spec

from components.pusher import executor


class WholeVersionPusher(Pusher):
    """The stock Pusher with another executor; see there for inputs and outputs."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.WholeVersionExecutor)
