"""The exceptions a user is meant to read."""


class SpkitError(Exception):
    """Bad input or a failed environment: one sentence that says what is wrong and what to do (exit
    code 2 on the command line).
    """


class NotFinite(SpkitError):
    """A loss, gradient, weight or measurement that is NaN or infinite: training has diverged, or
    arithmetic has overflowed.
    """
