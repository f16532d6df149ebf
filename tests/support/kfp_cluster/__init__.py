"""Kubeflow Pipelines without a cluster: runs a compiled pipeline on one machine, pod by pod."""
