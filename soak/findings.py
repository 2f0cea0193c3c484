"""What must be true after each try, by name."""

from enum import StrEnum


class Invariant(StrEnum):
    """One thing that no fault may break."""

    COMPLETED = "completed and as wanted"
    DECLARED = "stopped with an error that is declared"
    TRUE_STATE = "what is said of the chip is so"
    RESUMABLE = "a later job completes"
    STARTS_NO_MIXTURE = "no moment in which the chip could start a mixture"
    BACKED_UP_FIRST = "nothing is erased before a true backup is on disk"
    BACKUPS = "backups hold what the chip held, under names of their own"
    MODES = "only the owner can read what is kept"
    RECORD = "an unfinished job is written down, a finished one is not"
    UNTOUCHED = "what the job has no leave to change is not changed by it"
    ERASED_FIRST = "nothing is programmed where it could not be erased first"
    STATUS = "the status register is written only to unprotect"
    PORT = "the port is free afterwards"
    LEAKS = "no task, thread or file is left behind"
    SECRETS = "no secret in a log"
    TIME = "it ends in time"
    DIED = "the process lives"
    TRUTH = "every entity shows what its socket says once all is well"
    COMMANDS = "no command is lost unseen, none is sent that nobody gave"
    GROWTH = "nothing grows: subscriptions, tasks, timers, listeners, flows, memory"
    LOG = "no exception in the log, and not a line for each message"
    QUIET = "once all is well nobody is asked more than now and then"
    FLOOD = "strangers cost bounded memory, questions and cards"


class Violation(AssertionError):
    """Something is not so that must be; ``invariant`` names it."""

    def __init__(self, invariant: Invariant, detail: str) -> None:
        """Keep which, and what was found."""
        super().__init__(f"{invariant.name}: {detail}")
        self.invariant = invariant
        self.detail = detail
