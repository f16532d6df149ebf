"""The manifests of `serving/manifests/templates/` for a run's model."""
