"""What a browser has to complain about: errors of scripts and in the console, refused requests."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, ConsoleMessage, Response, WebError


def note_faults(context: BrowserContext, app_url: str, faults: list[str]) -> Callable[[], None]:
    """Add to a list whatever goes wrong on any page of a browser's window.

    What other servers refuse does not count.

    Returns:
        Ends it.
    """

    def script(error: WebError) -> None:
        faults.append(str(error.error))

    def console(message: ConsoleMessage) -> None:
        address = message.location["url"]
        if message.type == "error" and (not address or app_url in address):
            faults.append(f"{message.text} ({address})")

    def response(answer: Response) -> None:
        if answer.status >= 400 and answer.url.startswith(app_url):
            faults.append(f"{answer.status} {answer.url}")

    def stop() -> None:
        context.remove_listener("weberror", script)
        context.remove_listener("console", console)
        context.remove_listener("response", response)

    context.on("weberror", script)
    context.on("console", console)
    context.on("response", response)
    return stop
