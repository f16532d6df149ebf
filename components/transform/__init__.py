"""The only preprocessing in the project, shared by training, evaluation and serving."""
