"""A run's viewer as a person uses it."""

from pathlib import Path

from playwright.sync_api import Download, Frame, FrameLocator, Locator, Page, expect

AXE = Path(__file__).parents[1] / "e2e" / "axe" / "axe.min.js"
#: Findings of axe-core that fail a test.
SERIOUS = ("serious", "critical")
#: Gradio's upload button has a label that is not its text.
NOT_OURS = ("#picture button[aria-dropeffect]",)


class ViewerPage:
    """What can be seen in the viewer and done with it; ``place`` is a page or a frame in one."""

    def __init__(self, page: Page, place: Page | FrameLocator | None = None) -> None:
        self.page, self.place = page, place or page

    def see(self, count: str) -> None:
        """Wait for a count of ships."""
        expect(self.place.locator("#count")).to_have_text(count, timeout=60_000)

    @property
    def rows(self) -> Locator:
        return self.place.locator("#rows tr")

    @property
    def outlines(self) -> Locator:
        return self.place.locator(".leaflet-ships-pane path")

    @property
    def hint(self) -> Locator:
        return self.place.locator("#hint")

    def column(self, number: int) -> list[str]:
        """The cells of a column, without the crops."""
        return self.rows.locator(f"td:nth-child({number + 1})").all_inner_texts()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def saved(self, actions: int) -> None:
        """Wait until the number of saved actions is reached."""
        plural = "s" if actions > 1 else ""
        expect(self.place.locator("#saved")).to_have_text(
            f"{actions} action{plural} saved with the run", timeout=60_000
        )

    def download(self, title: str) -> Download:
        with self.page.expect_download() as downloading:
            self.place.locator("#downloads").get_by_text(title, exact=True).click()
        return downloading.value

    def fill(self, name: str, value: str) -> None:
        """Set a filter of numbers."""
        self._filter(name).fill(value)

    def choose(self, name: str, value: str) -> None:
        """Set a filter of choices."""
        self._filter(name).select_option(value)

    def _filter(self, name: str) -> Locator:
        box = self.place.locator("#filter-box")
        if box.get_attribute("open") is None:
            box.locator("summary").click()
        return self.place.locator(f"#filters [name={name}]")


def serious_findings(page: Page | Frame) -> list[str]:
    """What axe-core finds on a page or in a frame that keeps people out."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "(left) => axe.run({exclude: left.map((part) => [part])}, {resultTypes: ['violations']})",
        list(NOT_OURS),
    )
    return [
        f"{finding['id']}: {node['target']} {node['html'][:120]}"
        for finding in found["violations"]
        if finding["impact"] in SERIOUS
        for node in finding["nodes"]
    ]
