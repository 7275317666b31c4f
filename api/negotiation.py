"""What clients say that they accept."""


def weights(header: str) -> dict[str, float]:
    """Return the weight of each value that a header such as `Accept` names."""
    found = {}
    for part in header.split(","):
        value, *parameters = (word.strip() for word in part.split(";"))
        found[value] = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    found[value] = float(parameter[2:])
                except ValueError:
                    found[value] = 0.0
    return found
