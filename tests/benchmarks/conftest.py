"""The small models that tests of benchmarks share with those of models."""

from tests.helpers.tiny_models import make_upscaler  # noqa: F401
