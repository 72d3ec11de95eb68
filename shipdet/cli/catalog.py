"""``shipdet providers`` and ``shipdet models``."""

import json
from dataclasses import asdict

from shipdet.cli.parameters import AsJson
from shipdet.settings import get_settings


def providers(json_: AsJson = False) -> None:
    """List the imagery providers."""
    from shipdet.imagery import catalog

    known = catalog(get_settings())
    if json_:
        print(json.dumps([provider.public() for provider in known.values()], indent=1))
        return
    for provider in known.values():
        zooms = f"zoom {provider.min_zoom}-{provider.max_zoom}"
        refused = "" if provider.downloadable else f"  (no download: {provider.reason})"
        print(f"{provider.id:12s}  {provider.title:28s}  {zooms:12s}{refused}")
        print(f"{'':14s}{provider.attribution} - {provider.license}")


def models(json_: AsJson = False) -> None:
    """List the models and the backends that can run them."""
    from shipdet import pipeline

    known = pipeline.models()
    if json_:
        print(json.dumps([asdict(model) for model in known], indent=1))
        return
    for model in known:
        print(f"{model.name:24s}  {model.task:20s}  {model.parameters / 1e6:5.1f} M parameters")
    for backend in pipeline.backends():
        state = "ready" if backend.available else "not available"
        print(f"{backend.name:24s}  {state}: {backend.reason}")
