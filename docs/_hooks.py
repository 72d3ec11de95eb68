"""Pages of the docs site that are made from the code: the command line and the settings."""

import inspect
import re

import typer
import typer.cli
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from shipdet.cli.commands import app
from shipdet.settings import Settings

#: A field of the settings, with a comment behind it.
_FIELD = re.compile(r"    (\w+): .*?(?:  # (.*))?$")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in (
        ("reference/cli.md", command_line()),
        ("reference/settings.md", settings()),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def command_line() -> str:
    """Every command with its options, from the help of the command line."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="shipdet")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="shipdet", title="")
    # Examples are lines of the docstrings; a code block keeps their spaces and dashes.
    text = re.sub(r"^(shipdet .+)$", r"    \1", text, flags=re.MULTILINE)
    text = re.sub(r"\[bold\](.*?)\[/bold\]", r"**\1**:", text)
    text = re.sub(r"<(list\[)?(\w[\w|\[\]]*)>", lambda found: f"({found[0].strip('<>')})", text)
    return text.replace("# `shipdet`\n", "# Command line\n", 1)


def settings() -> str:
    """A table of every setting: its variable, its default and what it is for."""
    lines = [
        "# Settings",
        "",
        "Set them as environment variables or as lines of a file `.env` in the working folder.",
    ]
    comment: list[str] = []
    for line in inspect.getsource(Settings).splitlines():
        if line.startswith("    # "):
            lines += ["", f"## {line.removeprefix('    # ')}", "", "| variable | default | |"]
            lines += ["|---|---|---|"]
        elif line.startswith("    #: "):
            comment.append(line.removeprefix("    #: "))
        elif (found := _FIELD.match(line)) and found[1] in Settings.model_fields:
            field = Settings.model_fields[found[1]]
            meaning = " ".join(comment) or found[2] or field.description or ""
            lines.append(f"| `SHIPDET_{found[1].upper()}` | {_default(found[1])} | {meaning} |")
            comment = []
    return "\n".join(lines) + "\n"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "a folder of the user"
    if name == "weights_dir":
        return "the bundled models"
    return f"`{field.default}`" if field.default not in ("", None) else ""
