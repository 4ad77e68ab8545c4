"""The one error tree of geosharp: whatever can be told to a user is a GeosharpError."""

from __future__ import annotations


class GeosharpError(Exception):
    """What stopped the work, in four parts that make one message.

    subject: the file, flag or pair at fault; found: what was there; needed: what would have been
    accepted; remedy: what to do next. `exit_code` is the command line's exit status.
    """

    exit_code = 1

    def __init__(self, subject: object, found: str, needed: str, remedy: str) -> None:
        self.subject = str(subject)
        self.found = found
        self.needed = needed
        self.remedy = remedy
        super().__init__(f"{self.subject}: {found}; needed: {needed}. {remedy[:1].upper()}{remedy[1:]}.")

    def __reduce__(self) -> tuple[type[GeosharpError], tuple[str, str, str, str]]:
        # From another process it is to come whole; Python would make it anew of the message alone.
        return type(self), (self.subject, self.found, self.needed, self.remedy)


class UsageError(GeosharpError):
    """A flag or argument holds a value that is not among those accepted."""

    exit_code = 2


class InputError(GeosharpError):
    """A file cannot be read, or is not what its place on the command line asks for."""


class PairError(GeosharpError):
    """PAN and MS are each fine, but do not belong together."""


class OutputError(GeosharpError):
    """The result cannot be written where it was asked for."""


class BusyError(OutputError):
    """Another run is writing there: what is refused now may be done once that has ended."""


class ResourceError(GeosharpError):
    """The machine has too little of something: memory, disk, a device."""
