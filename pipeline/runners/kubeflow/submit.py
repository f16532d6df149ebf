"""Hands the pipeline to a server of Kubeflow Pipelines."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kfp
import kfp_server_api
import urllib3

from components.shared.errors import InputError


class Server:
    """A server of Kubeflow Pipelines.

    Every method raises InputError where the server cannot be reached or refuses what is asked.
    """

    def __init__(self, host: str, namespace: str | None) -> None:
        """Reaches for the server.

        Args:
            host: its URL.
            namespace: of the runs, where the server has several users.
        """
        self._host, self._namespace = host, namespace
        # It tells of every attempt; the last one is enough.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        with self._explained(), warnings.catch_warnings():
            # It says which servers it is for, at every start.
            warnings.simplefilter("ignore", FutureWarning)
            self._client = kfp.Client(host=host, namespace=namespace or "kubeflow")

    def submit(self, pipeline: str, experiment: str, name: str) -> str:
        """Starts a run.

        Args:
            pipeline: a compiled file, or the name of a pipeline that the server has.
            experiment: to which the run belongs; made where there is none.
            name: of the run.

        Returns:
            The run's id.
        """
        with self._explained():
            source = self._source(pipeline)
            made = self._client.run_pipeline(self._experiment(experiment), name, **source)
        return str(made.run_id)

    def schedule(self, pipeline: str, experiment: str, name: str, cron: str) -> str:
        """Starts a run again and again, one at a time.

        Args:
            pipeline: a compiled file, or the name of a pipeline that the server has.
            experiment: to which the runs belong; made where there is none.
            name: of the recurring run.
            cron: when, in six fields, seconds first.

        Returns:
            The recurring run's id.
        """
        with self._explained():
            source = self._source(pipeline)
            made = self._client.create_recurring_run(
                self._experiment(experiment),
                name,
                cron_expression=cron,
                # What was missed while the server was away would train on the same films.
                no_catchup=True,
                **source,
            )
        return str(made.recurring_run_id)

    def _source(self, pipeline: str) -> dict[str, str]:
        if Path(pipeline).suffix in (".yaml", ".yml"):
            if not Path(pipeline).is_file():
                raise InputError(
                    f"The pipeline {pipeline} is no file: make it with `cxr kubeflow compile`."
                )
            return {"pipeline_package_path": pipeline}
        known = self._client.get_pipeline_id(pipeline)
        if known is None:
            raise InputError(f"The server {self._host} knows no pipeline named {pipeline}.")
        versions = self._client.list_pipeline_versions(known, sort_by="created_at desc")
        if not versions.pipeline_versions:
            raise InputError(f"The pipeline {pipeline} on {self._host} has no version.")
        newest = versions.pipeline_versions[0].pipeline_version_id
        return {"pipeline_id": known, "version_id": newest}

    def _experiment(self, name: str) -> str:
        return str(self._client.create_experiment(name, namespace=self._namespace).experiment_id)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.HTTPError, TimeoutError) as error:
            raise InputError(
                f"The server {self._host} cannot be reached: {_reason(error)}. Give the URL of "
                "Kubeflow Pipelines as --host."
            ) from error
        except kfp_server_api.ApiException as error:
            raise InputError(f"The server {self._host} refuses: {_answer(error)}.") from error


def _reason(error: Exception) -> str:
    """Returns the innermost reason of a failed connection."""
    reason: object = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2].rpartition("] ")[2].rstrip(".")


def _answer(error: kfp_server_api.ApiException) -> str:
    """Returns what the server says, of which the client shows headers and all."""
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason
    return f"{error.status} {message}".rstrip(".")
