"""The small models that tests of models and of their export share."""

from tests.helpers.tiny_models import (  # noqa: F401
    configs,
    graph_cache,
    make_classifier,
    make_upscaler,
    picture,
    settings,
    weights,
)
