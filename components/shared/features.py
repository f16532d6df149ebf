"""Names of what passes between nodes, in one place."""

# Features of the Examples that ChestXrayExampleGen writes; `record.py` says what each means.
IMAGE = "image"
LABEL = "label"
SUBTYPE = "subtype"
PATIENT = "patient"
FILE_NAME = "file_name"
WIDTH = "width"
HEIGHT = "height"
CHANNELS = "channels"
MEAN = "mean"
STD = "std"
COLOUR = "colour"
POLARITY = "polarity"
SQUASHED = "squashed"
# Of Transform: why a film may not be read; empty where it may.
REFUSAL = "refusal"
# Of SUBTYPE, where the file's name does not tell.
UNKNOWN_SUBTYPE = "unknown"

# Splits.
TRAIN = "train"
EVAL = "eval"
TEST = "test"
SPLITS = (TRAIN, EVAL, TEST)

# Labels: the index is the value of LABEL.
CLASSES = ("NORMAL", "PNEUMONIA")
NORMAL, PNEUMONIA = 0, 1

# The served signatures, their input and their outputs.
SIGNATURE_BYTES = "serving_default"
SIGNATURE_EXAMPLES = "serving_examples"
SIGNATURE_EXPLAIN = "explain"  # not every model has it
IMAGE_BYTES = "image_bytes"  # the suffix lets TF Serving's REST take {"b64": ...}
EXAMPLES = "examples"
PROBABILITY = "probability"
THRESHOLD = "threshold"
LABEL_NAME = "label"
MODEL_VERSION = "model_version"
HEATMAP = "heatmap"  # where the model looked, 0 to 1
SEEN_BYTES = "seen_bytes"  # a PNG of what it looked at

# The SavedModel's asset that holds MODEL_VERSION; Pusher writes the number of the version into it.
VERSION_FILE = "model_version.txt"
UNPUSHED = "not pushed"
