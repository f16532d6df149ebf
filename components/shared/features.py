"""Names of what passes between nodes, in one place."""

# Features of the Examples that ChestXrayExampleGen writes.
IMAGE = "image"  # the file's bytes as they came; after Transform, the bytes of a small grey PNG
LABEL = "label"  # 0 NORMAL, 1 PNEUMONIA
SUBTYPE = "subtype"  # normal, bacteria, virus, unknown
UNKNOWN_SUBTYPE = "unknown"
PATIENT = "patient"  # the group key: no patient is in two splits
FILE_NAME = "file_name"  # relative to the data folder, with forward slashes
WIDTH = "width"  # pixels
HEIGHT = "height"  # pixels
CHANNELS = "channels"
MEAN = "mean"  # grey level, 0 to 1
STD = "std"  # of the grey level, 0 to 1
COLOUR = "colour"  # grey or colour
POLARITY = "polarity"  # positive (bone is bright) or inverted
# How many times more a film was shrunk in width than in height before the file was made, 1 for
# nearly all; after Transform, before the picture was made.
SQUASHED = "squashed"

# What Transform hands on beside the image.
CARRIED = (LABEL, SUBTYPE, PATIENT, FILE_NAME)

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
