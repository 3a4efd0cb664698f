"""The exceptions a user is meant to read."""


class SpkitError(Exception):
    """Bad input or a failed environment: one sentence that says what is wrong and what to do (exit
    code 2 on the command line).
    """


class NotFinite(SpkitError):
    """A loss, gradient, weight or measurement that is NaN or infinite: training has diverged, or
    arithmetic has overflowed.
    """


class NotFetched(SpkitError):
    """A model that is not on this machine yet. A notebook shows the sentence alone, without the calls before it."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
