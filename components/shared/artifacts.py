"""What one node finds in the artifacts of another, by name."""

# Of ChestXrayExampleGen, beside the splits; its execution has the fingerprint of what it read.
QUARANTINE_FILE = "quarantine.csv"
SUMMARY_FILE = "summary.json"
# In it: the films left out, by reason; all other films are counted by fate, split and class.
LEFT_OUT = "left_out"
FINGERPRINT_KEY = "input_fingerprint"

# Of the Trainer's run.
COST_FILE = "cost.json"
HISTORY_FILE = "history.json"

# Of YoudenEvaluator's evaluation.
RESULT_FILE = "result.json"
PREDICTIONS_FILE = "predictions.csv"
# The kinds of slices in the result.
SUBTYPE_SLICE = "subtype_against_all_normals"
STREAM_SLICE = "normal_stream_against_all_pneumonias"
SLICES = (SUBTYPE_SLICE, STREAM_SLICE)
SIZE_SLICE = "image_size"
FILMS_SLICE = "films_of_patient"

# Of ServingCheck's blessing.
SERVING_CHECK_FILE = "serving_check.json"
# Its property: the digest of the model that was checked.
MODEL_DIGEST = "model_digest"
