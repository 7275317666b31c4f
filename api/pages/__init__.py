"""The pages: rendered here from templates/; what moves on them is in static/."""
