"""Pusher whose versions appear whole or not at all."""

from tfx.components import Pusher
from tfx.dsl.components.base import executor_spec

from components.pusher import executor
from components.shared.drivers import PropertiesDriver


class Driver(PropertiesDriver):
    """Adds the code of the executor."""


class WholeVersionPusher(Pusher):
    """The stock Pusher with another executor; see there for inputs and outputs."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.WholeVersionExecutor)
    DRIVER_CLASS = Driver
