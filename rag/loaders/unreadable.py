"""How a loader says that a file cannot become a document."""


class Unreadable(Exception):
    """Its message is the reason that the user reads. It never leaves this package."""
