"""The `cosmoboard` command."""
