"""Errors that end in one line without a traceback."""


class UserError(Exception):
    """A wrong name, value, file or directory; one line that quotes the bad value and names the good ones."""


class RunsFailed(UserError):
    """Training was started, and some run failed."""
