"""What a socket that is flashed again keeps and loses, as a person reads it before it is written."""

from collections.abc import Iterator, Mapping

from ...pyopenbk.obk.startup import Obstacle, Part
from ...pyopenbk.obk.takeover import Kept, Takeover
from ..talking import Words
from ..tuning_form import left_out_text


def markdown(takeover: Takeover, word: Words) -> str:
    """Return what stays, what is changed for Home Assistant, and what is lost."""
    return "\n\n".join(_paragraphs(takeover, word))


def left_out_by_template(left_out: Mapping[Part, Obstacle], word: Words) -> str:
    """Return Markdown of what Home Assistant goes without because of a template."""
    return left_out_text(left_out, word, word("template_extras", "left_out"))


def _paragraphs(takeover: Takeover, word: Words) -> Iterator[str]:
    if takeover.kept:
        kept = "\n".join(f"- {_name(kept, takeover, word)}" for kept in takeover.kept)
        yield f"{word('takeover', 'kept')}\n\n{kept}"
    if takeover.cleared:
        cleared = "\n".join(f"- {word('tuning', flag)}" for flag in takeover.cleared)
        yield f"{word('takeover', 'cleared')}\n\n{cleared}"
    if takeover.lost_factors:
        yield word("takeover", "lost_factors")
    if takeover.lost_command:
        yield word("takeover", "lost_command")
    if takeover.left_out:
        yield left_out_text(takeover.left_out, word)


def _name(kept: Kept, takeover: Takeover, word: Words) -> str:
    name = word("kept", kept)
    if kept is Kept.STATIC_ADDRESS:
        return f"{name}: {takeover.static_address}"
    return name
