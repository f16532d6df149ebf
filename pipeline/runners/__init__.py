"""Where the graph runs: this machine, Kubeflow Pipelines, one worker of a training."""
