"""The stock Pusher, with versions that appear whole or not at all."""
