"""YoudenEvaluator: threshold on eval, metrics on test, gate, blessing, calibrated model."""
