"""Forms and texts of tuning: what would be changed in a socket and why, and how it is taken back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from ..pyopenbk.foreign_text import markdown_code
from ..pyopenbk.obk.startup import LONGEST_STARTUP_COMMAND, Obstacle, Part
from ..pyopenbk.obk.tuning import NEEDED, Proposal, Tuning
from .forms import folded
from .talking import Words

CONF_CHANGES: Final = "changes"


def changes_schema(steps: Iterable[str], ticked: Iterable[str] = ()) -> probatio.Schema:
    """Return the form with one tick for each change."""
    return probatio.Schema(
        {
            probatio.Required(CONF_CHANGES, default=list(ticked)): SelectSelector(
                SelectSelectorConfig(
                    options=[str(step) for step in steps],
                    multiple=True,
                    mode=SelectSelectorMode.LIST,
                    translation_key="tuning",
                )
            )
        }
    )


def tune_schema(tunings: Iterable[Tuning]) -> probatio.Schema:
    """Return the form of a proposal; ticked is only what Home Assistant cannot do without."""
    if not (steps := [tuning.step for tuning in tunings]):
        return probatio.Schema({})
    return changes_schema(steps, [str(step) for step in steps if step in NEEDED])


def proposal_text(proposal: Proposal, word: Words) -> str:
    """Return Markdown of what is not touched, and of what exactly is sent, which unfolds."""
    texts = []
    if proposal.left_out:
        texts.append(left_out_text(proposal.left_out, word))
    if proposal.tunings:
        commands = "\n".join(
            f"- {markdown_code(line, 2 * LONGEST_STARTUP_COMMAND)}"
            for tuning in proposal.tunings
            for line in _lines(tuning)
        )
        summary = word("tuning_commands", "all")
        texts.append(folded(summary, commands))
    return "\n\n".join(texts)


def left_out_text(
    left_out: Mapping[Part, Obstacle], word: Words, introduction: str = ""
) -> str:
    """Return Markdown that says which parts of the start-up command are left alone, and why."""
    lines = [
        f"- {word('startup_part', part)}: {word('startup_obstacle', obstacle)}"
        for part, obstacle in left_out.items()
    ]
    introduction = introduction or word("tuning_commands", "left_out")
    return "\n".join((introduction, "", *lines))


def _lines(tuning: Tuning) -> tuple[str, ...]:
    if tuning.startup is None:
        return tuning.commands
    return (f"StartupCommand {tuning.startup}",)


@callback
def undo_data(known: Mapping[str, list[str]], done: Iterable[Tuning]) -> dict[str, Any]:
    """Return how everything that was changed so far is taken back, by the name of the change."""
    return {
        **known,
        **{
            str(tuning.step): tuning.undo_after(known.get(tuning.step, ()))
            for tuning in done
        },
    }
