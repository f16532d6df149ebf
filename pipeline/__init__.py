"""The configuration, the graph, the local runner, the command line and the demo data."""
