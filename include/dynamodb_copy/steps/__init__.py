"""What happens to pages between a source and a sink."""
