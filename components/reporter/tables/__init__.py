"""The report's tables and sentences, one module a topic."""
