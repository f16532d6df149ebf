"""From a file's bytes to the film in it, or the reason why there is none."""
