"""The pushed model in use: films from files, DICOM too, to a model server and back."""

DEFAULT_SERVER = "http://127.0.0.1:8501"
# Of the environment.
TOKEN_VARIABLE = "CXR_TOKEN"
