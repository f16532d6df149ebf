"""The settings of what runs the graph: Beam and Kubeflow."""
