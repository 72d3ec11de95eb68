"""A whole session without a complaint of the browser, which the fixture looks for."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from shipdet.imagery import sample
from tests.e2e.conftest import OpenApp
from tests.helpers.app_page import AppPage
from tests.helpers.viewer_page import ViewerPage, serious_findings

RUN_MS = 240_000
#: Keeps the HTML of everything that the panel shows from now on in ``window.panels``, and whether
#: Detect has been disabled in ``window.disabled``.
KEEP_PANELS = """() => {
    const panel = document.querySelector("#panel");
    window.panels = [];
    const keep = () => window.panels.push(panel.innerHTML);
    new MutationObserver(keep).observe(panel, { childList: true, subtree: true });
    const detect = document.querySelector("#detect");
    window.disabled = detect.disabled;
    const look = () => { window.disabled ||= detect.disabled; };
    new MutationObserver(look).observe(detect, { attributes: true });
}"""


def run(app: AppPage) -> None:
    """Press Detect and wait for the results of this very search."""
    app.detect.click()
    expect(app.detect).to_be_disabled()
    expect(app.detect).to_be_enabled(timeout=RUN_MS)
    expect(app.panel).to_contain_text("found")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dark", [False, True])
def test_a_whole_session_leaves_the_console_empty(open_app: OpenApp, tmp_path: Path, dark: bool):
    app = open_app(dark=dark)
    page, viewer = app.page, app.viewer

    app.draw(0.4, 0.5, 0.6, 0.7)  # of the sample
    expect(app.estimate).not_to_contain_text("192 tiles")
    run(app)
    expect(viewer.rows.first).to_be_visible()
    viewer.rows.first.click()
    expect(viewer.place.locator("#crop")).to_have_js_property("clientWidth", 160)
    lacks = "body => body.ownerDocument.documentElement.scrollHeight - window.innerHeight"
    assert viewer.place.locator("body").evaluate(lacks) <= 0, "nothing is cut at the bottom"
    viewer.place.get_by_role("button", name="Accept (A)").click()
    viewer.saved(1)
    run(app)

    scene = tmp_path / "scene.png"
    scene.write_bytes(sample.tile(16, 32641, 32754) or b"")
    page.get_by_role("tab", name="Your image").click()
    page.locator("#picture input[type=file]").set_input_files(scene)
    expect(page.locator("#bands input")).to_have_value("From the image")
    page.locator("#gsd input").fill("2.4")
    expect(app.estimate).to_contain_text("without a georeference")
    page.evaluate(KEEP_PANELS)  # a small image is searched too fast to wait for its stages
    app.detect.click()
    expect(app.panel).to_contain_text("scene.png", timeout=RUN_MS)
    expect(app.panel).to_contain_text("found")
    expect(app.detect).to_be_enabled()
    assert page.evaluate("window.disabled")
    panels = page.evaluate("window.panels")
    assert any("sd-stages" in panel for panel in panels)
    assert not any("Downloading" in panel for panel in panels)

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="History", exact=True).click()
    history = opened.value
    expect(history.locator("[data-run]").nth(2)).to_be_visible()
    assert serious_findings(history) == []
    for card in history.locator("[data-run]").all()[1:3]:  # the first is the image's
        card.get_by_role("checkbox").check()
    history.get_by_role("button", name="Compare two runs").click()
    ships = ViewerPage(history)
    expect(history.locator("#count")).to_contain_text("stayed, 0 arrived, 0 left")
    expect(ships.outlines.first).to_be_visible()
    assert serious_findings(history) == []
