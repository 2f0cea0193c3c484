"""Whether a socket is there: what it says now counts for more than what the broker kept."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

# After "offline" a socket that lives answers at once, whoever said it. The last will of a
# connection that broke comes after the birth of the next one if the broker noticed it late.
_ASK_AFTER: Final = (5.0, 60.0)
# One that is there answers within a second; on a weak radio it may take some.
_ANSWERS_WITHIN: Final = 10.0
# Nobody needs to be asked more often on account of what is heard.
_ASK_AGAIN_AFTER: Final = 10.0

type Later = Callable[[float, Callable[[], None]], CALLBACK_TYPE]


class Presence:
    """Takes birth and last will, and everything else that a socket says, for what they prove.

    A retained message may be old, so it never takes away a socket that speaks. One that is said
    to be offline and speaks is asked for something; if it answers, it is there.
    """

    __slots__ = (
        "_ask",
        "_asked",
        "_came",
        "_gone",
        "_kept",
        "_later",
        "_patience",
        "_proven",
        "_timer",
        "_waiting",
        "any_answers",
        "online",
    )

    def __init__(
        self,
        *,
        came: CALLBACK_TYPE,
        gone: CALLBACK_TYPE,
        ask: CALLBACK_TYPE,
        later: Later,
    ) -> None:
        """Prepare for a socket that nothing is known of.

        ``came`` and ``gone`` are called when it comes and goes, ``ask`` to have it asked.
        """
        self.online = False
        self.any_answers = False
        """Whatever it says is an answer, as there is no channel to ask for."""
        self._came = came
        self._gone = gone
        self._ask = ask
        self._later = later
        self._asked = False
        self._proven = False
        """Its answers alone say that it is there; the last that was published is that it is not."""
        self._kept = False
        """That it is there was kept by the broker, and nothing was heard of it since."""
        self._patience = 0
        self._timer: CALLBACK_TYPE | None = None
        self._waiting: tuple[tuple[asyncio.Future[bool], str | None], ...] = ()
        """Who waits for an answer, each with the word that it says."""

    @property
    def waits(self) -> bool:
        """Return whether somebody waits for an answer."""
        return bool(self._waiting)

    async def answers(self, ask: CALLBACK_TYPE, word: str | None = None) -> bool:
        """Have it asked, and return whether it answers over the connection that it has now.

        It takes what it is told in turn, so it has got what was sent before. ``word`` is what it is
        asked to say, which nobody else is; without one, anything counts that it may be asked for,
        though it may have been under way.
        """
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting += ((answered, word),)
        ask()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWERS_WITHIN):
                    return await answered
            return False
        finally:
            self._waiting = tuple(
                each for each in self._waiting if each[0] is not answered
            )

    @callback
    def spoke(self, *, answer: bool) -> None:
        """Take that the socket said something, though it may be nothing new."""
        if answer or self.any_answers:
            self._tell_waiting(None)

    @callback
    def said(self, word: str) -> None:
        """Take that the socket said a word just now."""
        self._tell_waiting(word)

    def _give_up_waiting(self) -> None:
        """Let nobody wait any longer, as it is not known what the socket got."""
        for answered, _ in self._waiting:
            if not answered.done():
                answered.set_result(False)

    def _tell_waiting(self, word: str | None) -> None:
        for answered, expected in self._waiting:
            if expected == word and not answered.done():
                answered.set_result(True)

    @property
    def in_doubt(self) -> bool:
        """Return whether it is being found out if the socket is there: a command may be tried."""
        return self._asked

    @callback
    def published(self, online: bool, *, retained: bool) -> None:
        """Take what was published of the socket, by itself or by the broker."""
        if retained and self.online:
            return
        # Whatever was sent to the connection before is lost, or nobody knows.
        self._give_up_waiting()
        self._lose()
        if online:
            self._appear()
            self._kept = retained
        else:
            self._ask_later()

    @callback
    def heard(self, *, answer: bool) -> bool:
        """Take that the socket spoke just now; return whether it counts what it said.

        ``answer`` is whether it is what a socket is asked for.
        """
        if self.online:
            self._kept = False
            return True
        if self._kept:
            self._kept = False
            self._appear()
            return True
        if not self._asked:
            self._ask_now()
            return False
        if not answer and not self.any_answers:
            return False
        self._appear()
        self._proven = True
        return True

    @callback
    def silent(self) -> None:
        """Take that it answers no more, although it may be there.

        A broker that lost its power keeps for ever that those were there which never came back.
        """
        if self._kept:
            self._lose()
            # Whatever it says agrees with what the broker has.
            self._kept = True
        elif self._proven:
            self._lose()

    @callback
    def unknown(self) -> None:
        """Forget everything, as the broker is gone; it tells again when it is back."""
        self._give_up_waiting()
        self._lose()

    @callback
    def unheard(self) -> None:
        """Let nobody wait for what it says, as it is not listened to any more."""
        self._give_up_waiting()

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        self._asked = False
        self._patience = 0
        self._cancel()

    def _appear(self) -> None:
        self.stop()
        self.online = True
        self._came()

    def _lose(self) -> None:
        self.stop()
        was_online, self.online = self.online, False
        self._proven = self._kept = False
        if was_online:
            self._gone()

    def _ask_now(self) -> None:
        """Ask, and take the next answer for a sign of life for a while."""
        self._cancel()
        self._asked = True
        self._ask()
        self._timer = self._later(_ASK_AGAIN_AFTER, self._unanswered)

    @callback
    def _unanswered(self) -> None:
        self._timer = None
        self._asked = False
        self._ask_later()

    def _ask_later(self) -> None:
        if self._patience < len(_ASK_AFTER):
            self._timer = self._later(_ASK_AFTER[self._patience], self._ask_now)
            self._patience += 1

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None
