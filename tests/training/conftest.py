"""The small models that tests of training share with those of models."""

from tests.helpers.tiny_models import make_classifier  # noqa: F401
