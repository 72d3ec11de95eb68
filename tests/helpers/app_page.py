"""The app's page as a person uses it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import FrameLocator, Locator, Page, Request, expect

from tests.helpers.viewer_page import ViewerPage

EDGES = ("west", "south", "east", "north")
Box = tuple[float, ...]


class AppPage:
    """What can be seen on the page and done with it."""

    def __init__(self, page: Page, screenshots: Path | None = None) -> None:
        self.page, self.screenshots = page, screenshots
        #: Addresses that the page wants from other machines, where it finds none.
        self.others: list[str] = []

    def open(self, url: str) -> None:
        """Load the page and wait for its map and its first estimate."""
        own = (None, "127.0.0.1", urlsplit(url).hostname)

        def note(request: Request) -> None:
            if urlsplit(request.url).hostname not in own:
                self.others.append(request.url)

        self.page.on("request", note)
        self.page.goto(url)
        expect(self.map.locator(".leaflet-draw-draw-rectangle")).to_be_visible(timeout=60_000)
        expect(self.estimate).to_contain_text("tiles", timeout=60_000)

    def reload(self) -> None:
        """Reload the page, also during a search.

        gradio ends its streams when a page is left and reports that as errors of the old document.
        They do not count.
        """
        self.page.evaluate(
            """() => {
                addEventListener("unhandledrejection", (event) => event.preventDefault());
                console.error = () => {};
            }"""
        )
        self.page.reload()

    @property
    def map(self) -> FrameLocator:
        return self.page.frame_locator("#map iframe")

    @property
    def estimate(self) -> Locator:
        return self.page.locator("#estimate")

    @property
    def panel(self) -> Locator:
        return self.page.locator("#panel")

    @property
    def detect(self) -> Locator:
        return self.page.locator("#detect")

    @property
    def viewer(self) -> ViewerPage:
        """The viewer of the run that is shown."""
        return ViewerPage(self.page, self.page.frame_locator("#viewer iframe"))

    @property
    def numbers(self) -> Box | None:
        """West, south, east, north as they stand in the inputs."""
        texts = [self.edge(name).input_value() for name in EDGES]
        return tuple(float(text) for text in texts) if all(texts) else None

    def edge(self, name: str) -> Locator:
        return self.page.locator(f"#{name} input")

    def set_edge(self, name: str, value: float) -> None:
        self.edge(name).fill(str(value))
        self.edge(name).press("Tab")

    @property
    def rectangle(self) -> Box:
        """The rectangle on the map, as Leaflet has it."""
        text = self._ask_map("r.getBounds().toBBoxString()")
        return tuple(float(part) for part in text.split(","))

    @property
    def view(self) -> str:
        return str(self._ask_map("map.getBounds().toBBoxString()"))

    def _ask_map(self, question: str) -> str:
        frame = next(f for f in self.page.frames if f.url.startswith("blob:"))
        found = "let r; map.eachLayer(l => { if (l instanceof L.Rectangle) r = l; });"
        name = "Object.keys(window).find(k => k.startsWith('map_'))"
        return str(
            frame.evaluate(f"() => {{ const map = window[{name}]; {found} return {question}; }}")
        )

    def draw(self, left: float, top: float, right: float, bottom: float) -> None:
        """Draw a rectangle with the mouse; shares of the map's width and height."""
        self.map.locator(".leaflet-draw-draw-rectangle").click()
        place = self.page.locator("#map iframe").bounding_box()
        assert place is not None
        x0, y0 = place["x"] + left * place["width"], place["y"] + top * place["height"]
        x1, y1 = place["x"] + right * place["width"], place["y"] + bottom * place["height"]
        mouse = self.page.mouse
        mouse.move(x0, y0)
        mouse.down()
        mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
        mouse.move(x1, y1, steps=4)
        mouse.up()

    @property
    def ships_on_map(self) -> int:
        """Every ship is an outline and a spot, both in a pane of their own."""
        return self.map.locator(".leaflet-ships-pane path").count() // 2

    def wait_for_ships(self, count: int) -> None:
        """Wait until the map shows ``count`` ships, each as an outline and a spot."""
        expect(self.map.locator(".leaflet-ships-pane path")).to_have_count(2 * count)

    @property
    def count(self) -> int:
        """The number of ships that the panel shows."""
        found = re.search(r"(\d+|No) ships? found", self.panel.inner_text())
        assert found, self.panel.inner_text()
        return 0 if found[1] == "No" else int(found[1])

    def picture(self, name: str, whole: bool = False) -> None:
        """Keep a screenshot, where they are wanted, once what moves has come to rest."""
        if self.screenshots is not None:
            self.page.wait_for_timeout(2000)
            self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=whole)
