"""Pasted descriptions of a socket's pins, whichever project's form they have."""

from .errors import OpenBekenError
from .obk.templates import TemplateError, parse_template
from .profile import SocketProfile
from .tuya.pins import profile_from_user_params
from .tuya.user_params import UserParamsError, parse_user_params


class DescriptionError(OpenBekenError):
    """The text describes no pins."""


def read_description(text: str) -> SocketProfile:
    """Return the pins of an OpenBeken template or of Tuya's user parameters.

    Raises a TemplateError for a faulty template, and DescriptionError for any other text.
    """
    try:
        return parse_template(text).profile
    except TemplateError as err:
        if '"pins"' in text:
            raise
        try:
            params = parse_user_params(text[max(text.find("{"), 0) :])
        except UserParamsError:
            raise DescriptionError("neither a template nor parameters") from err
    profile = profile_from_user_params(params).profile
    if not profile.pins:
        raise DescriptionError("parameters without any pin")
    return profile
