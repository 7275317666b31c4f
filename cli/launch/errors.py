"""What can go wrong while the service is launched."""


class LaunchError(Exception):
    """The service cannot run; the message says why and what to do."""
