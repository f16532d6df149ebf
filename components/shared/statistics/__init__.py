"""Counts, intervals and resamples, of which evaluator and report are made."""
