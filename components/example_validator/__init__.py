"""The curated schema of the Examples, and the node that stops the run where they break it."""
