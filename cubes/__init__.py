"""What a density field is, and where it comes from."""
