"""The embedded model server: TensorFlow Serving's REST and gRPC, and a page, in one process."""
