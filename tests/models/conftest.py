"""The small models that tests of models and of their export share."""

from tests.helpers.tiny_models import (  # noqa: F401
    configs,
    make_classifier,
    make_upscaler,
    picture,
    settings,
    weights,
)
