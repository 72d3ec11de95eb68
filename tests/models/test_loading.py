"""Models are loaded once, shared by requests, and released when nobody asks for them."""

import gc
import shutil
import threading
import time
import weakref

import pytest

from shipdet.models import load_classifier, load_upscaler, release_models, torch_runtime


@pytest.fixture(autouse=True)
def forget_models():
    release_models()
    yield
    release_models()


@pytest.fixture
def settings(settings, weights, tmp_path):
    """Models of this test's own, which no other test holds."""
    return settings.model_copy(
        update={"weights_dir": shutil.copytree(weights, tmp_path / "weights")}
    )


@pytest.fixture
def opened(monkeypatch):
    """Counts what is really read from disk."""
    names = []

    def counting(kind, real):
        def opener(*arguments):
            names.append(kind)
            time.sleep(0.05)  # long enough for requests to meet
            return real(*arguments)

        return opener

    for kind in ("open_classifier", "open_upscaler"):
        real = getattr(torch_runtime, kind)
        monkeypatch.setattr(torch_runtime, kind, counting(kind, real))
    return names


def released(reference, within_s=30.0):
    end = time.monotonic() + within_s
    while reference() is not None and time.monotonic() < end:
        time.sleep(0.02)
        gc.collect()
    return reference() is None


def test_requests_at_once_share_one_model(settings, opened):
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(load_classifier(None, "torch", "cpu", settings))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["open_classifier"]
    assert len(found) == 4 and len({id(model) for model in found}) == 1


def test_idle_models_are_released_and_read_again_when_needed(settings, opened):
    short = settings.model_copy(update={"model_idle_s": 0.3})
    models = [
        load_classifier(None, "torch", "cpu", short),
        load_upscaler(None, "torch", "cpu", short),
    ]
    references = [weakref.ref(model) for model in models]
    del models
    assert all(released(reference) for reference in references)
    load_classifier(None, "torch", "cpu", short)
    assert opened == ["open_classifier", "open_upscaler", "open_classifier"]


def test_a_model_that_a_run_holds_is_reused_after_its_release(settings, opened):
    held = load_classifier(None, "torch", "cpu", settings)
    release_models()
    assert load_classifier(None, "torch", "cpu", settings) is held
    assert opened == ["open_classifier"]


def test_each_request_puts_the_release_off(settings, opened):
    short = settings.model_copy(update={"model_idle_s": 0.6})
    reference = weakref.ref(load_classifier(None, "torch", "cpu", short))
    for _ in range(4):
        time.sleep(0.25)
        load_classifier(None, "torch", "cpu", short)
    assert reference() is not None and opened == ["open_classifier"]


def test_never_is_a_choice(settings):
    reference = weakref.ref(
        load_classifier(None, "torch", "cpu", settings.model_copy(update={"model_idle_s": 0.0}))
    )
    assert not released(reference, within_s=0.3)
