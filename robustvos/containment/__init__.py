"""Objects inside containers: carried by what hides them, and how that is validated."""
