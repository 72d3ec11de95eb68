"""What a browser has to complain about: errors of scripts and in the console, refused requests."""

from playwright.sync_api import BrowserContext, ConsoleMessage, Response, WebError

HERE = "http://127.0.0.1:"


def note_faults(context: BrowserContext, faults: list[str]) -> None:
    """Add to a list whatever goes wrong on any page of a browser's window.

    What other hosts refuse does not count: tests let nothing reach them.
    """

    def script(error: WebError) -> None:
        faults.append(str(error.error))

    def console(message: ConsoleMessage) -> None:
        address = message.location["url"]
        if message.type == "error" and (not address or HERE in address):
            faults.append(f"{message.text} ({address})")

    def response(answer: Response) -> None:
        if answer.status >= 400 and answer.url.startswith(HERE):
            faults.append(f"{answer.status} {answer.url}")

    context.on("weberror", script)
    context.on("console", console)
    context.on("response", response)
