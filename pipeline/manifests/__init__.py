"""The manifests of `kubeflow/serving/` for a run's model."""
