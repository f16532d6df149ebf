"""What serves a pushed model, and what asks it."""
