"""ServingCheck: loads what would be pushed as a server would, and asks it things."""
