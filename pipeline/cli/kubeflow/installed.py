"""What only the extra `kubeflow` brings."""

from collections.abc import Iterator
from contextlib import contextmanager

from components.shared.errors import InputError


@contextmanager
def installed() -> Iterator[None]:
    """Around imports of such packages.

    Raises:
        InputError: one is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"The package {error.name} is not installed, which `cxr kubeflow` needs: install the "
            "project with its extra kubeflow."
        ) from error
