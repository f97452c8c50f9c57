"""Where pages go."""
