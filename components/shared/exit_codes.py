"""How a command or a pod ends."""

DONE = 0  # also: a model was pushed
FAILED = 1
BAD_INPUT = 2  # of the user: data, a setting, an argument
REFUSED = 3  # the model, by the gate or the check of its serving
