"""The nodes of the pipeline, one folder each, and the few names that they share."""
