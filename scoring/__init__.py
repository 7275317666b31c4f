"""The three summary statistics, their Fréchet distances and the scores."""
