"""The root of every error that this library raises on purpose."""


class OpenBekenError(Exception):
    """Base of all errors of this library; its text is meant for logs, not for dialogs."""
