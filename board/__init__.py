"""The state of the challenge: the only package that knows the database."""
