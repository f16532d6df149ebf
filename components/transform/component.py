"""The Transform that notices another version of the project's code."""

from tfx.v1.components import Transform

from components.shared.drivers import PropertiesDriver


class Driver(PropertiesDriver):
    """Adds the code of `preprocessing_fn`."""


class ProjectTransform(Transform):
    """The stock Transform, which runs again where the code of `preprocessing_fn` is another.

    Component `outputs` contains:
    - `transformed_examples`: Channel of type `standard_artifacts.Examples`.
    - `transform_graph`: Channel of type `standard_artifacts.TransformGraph`.
    """

    DRIVER_CLASS = Driver
