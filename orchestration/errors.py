"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """A mistake that the user can mend: one sentence that says what, why and what to do.

    Callers print the sentence without a traceback. It never holds a value from the data.
    `exit_code` is what `perennial` ends with: 2 for wrong use, 1 where nothing could be published.
    """

    exit_code = 2
