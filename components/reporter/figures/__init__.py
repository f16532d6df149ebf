"""The report's figures, one module a topic."""
