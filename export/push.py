"""``python -m export.push OWNER/NAME weights/MODEL``: upload a model folder to the hub.

The config and checksum of the folder are checked first. The token is that of ``hf auth login`` or
HF_TOKEN; HF_ENDPOINT selects another hub.
"""

import argparse
import fnmatch
import os
from pathlib import Path

import httpx
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from export.command import run
from shipdet.errors import ShipdetError, UnknownModel
from shipdet.models.hub import HUB_FILES, resolve
from shipdet.settings import get_settings


class PushFailed(ShipdetError):
    """The hub did not accept the model."""


def files_of(folder: Path) -> list[str]:
    """Return the files to upload, as paths relative to the folder."""
    found = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(n for n in found if any(fnmatch.fnmatch(n, p) for p in HUB_FILES))


def push(repo: str, folder: Path, private: bool = False) -> str:
    """Upload a model folder in one commit, creating the repository if necessary.

    Args:
        repo: Repository, as owner/name.
        folder: The model folder.
        private: Whether to create a private repository.

    Returns:
        URL of the commit.

    Raises:
        PushFailed: The hub does not answer or rejects the request.
    """
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=files_of(folder),
            commit_message=f"Upload {folder.name}",
        )
    except HFValidationError:
        raise PushFailed(f"'{repo}' is not a valid name on the hub: use owner/name.") from None
    except HfHubHTTPError as error:
        raise PushFailed(
            f"The hub refused {repo} ({error.response.status_code}): log in with `hf auth login` "
            "or set HF_TOKEN to a token with write access."
        ) from None
    except httpx.TransportError:
        raise PushFailed("The hub does not answer: check the network and try again.") from None
    return str(commit.commit_url)


def main() -> None:
    """Run the command line: list the files and, except in a dry run, upload them."""
    parser = argparse.ArgumentParser(prog="python -m export.push", description=__doc__)
    parser.add_argument("repo", metavar="OWNER/NAME")
    parser.add_argument("folder", type=Path, metavar="weights/MODEL")
    parser.add_argument("--private", action="store_true", help="create a private repository")
    parser.add_argument("--dry-run", action="store_true", help="only list the files")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        raise UnknownModel(f"The folder {arguments.folder} does not exist.")
    folder = resolve(str(arguments.folder.resolve()), get_settings()).path
    for name in files_of(folder):
        print(f"{(folder / name).stat().st_size:>12,}  {name}")
    if arguments.dry_run:
        print(f"Dry run: nothing was uploaded to {arguments.repo}.")
        return
    print(push(arguments.repo, folder, arguments.private))


if __name__ == "__main__":
    run(main)
