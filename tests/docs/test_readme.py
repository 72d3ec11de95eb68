"""The README stays short, and what a Space and newcomers need stays in it."""

import re

import yaml

from tests.helpers import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_readme_has_at_most_900_words():
    assert len(README.split()) <= 900


def test_the_readme_begins_with_what_a_space_reads():
    _, front, _ = README.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["sdk"] == "gradio"
    assert (PROJECT / matter["app_file"]).is_file()
    pinned = (PROJECT / "requirements.txt").read_text()
    assert f"gradio=={matter['sdk_version']}\n" in pinned


def test_the_first_commands_are_make_run_and_make_test():
    first = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert first and [line.split("#")[0].strip() for line in first[1].splitlines()] == [
        "make run",
        "make test",
    ]


def test_every_link_of_the_readme_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)", README)
    local = [link for link in links if "://" not in link]
    assert len(local) > 10
    assert not [link for link in local if not (PROJECT / link).exists()]
