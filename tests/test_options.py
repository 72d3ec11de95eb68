"""One definition of an option: every front end has all of them, with the same defaults."""

import inspect
import typing
from dataclasses import fields

import pytest

import shipdet
from shipdet.cluster.jobs.message import NOT_IN_JOBS, NOT_SUBMITTED, JobMessage
from shipdet.errors import BadOption
from shipdet.options import option_fields, with_options
from shipdet.requests import (
    AreaOptions,
    AreaRequest,
    ImageOptions,
    ImageRequest,
    ImageryOptions,
    Search,
    SearchOptions,
)
from shipdet.ui.layout import SearchInputs
from shipdet.ui.source_inputs import AreaInputs

IMAGE = {**ImageRequest.model_fields, **Search.model_fields}
del IMAGE["search"]
AREA = {**ImageryOptions.model_fields, **Search.model_fields}


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (shipdet.detect_area, AREA),
        (shipdet.estimate_area, AREA),
        (shipdet.detect_image, IMAGE),
    ],
)
def test_python_functions_have_every_option(function, options):
    parameters = inspect.signature(function).parameters
    for name, field in options.items():
        assert parameters[name].default == field.default
        assert parameters[name].annotation == field.annotation


@pytest.mark.parametrize(
    ("keywords", "options"),
    [(SearchOptions, Search.model_fields), (AreaOptions, AREA), (ImageOptions, IMAGE)],
)
def test_type_checkers_see_the_same_options(keywords, options):
    hints = typing.get_type_hints(keywords)
    assert hints == {name: field.annotation for name, field in options.items()}


def test_a_job_message_has_every_option_of_a_job():
    options = {n: f for n, f in AREA.items() if n not in NOT_IN_JOBS}
    for name, field in options.items():
        assert JobMessage.model_fields[name].default == field.default, name
    own = {"version", "name", "area", "passes", "reference"}
    assert set(JobMessage.model_fields) == set(options) | own


def test_a_submitted_option_reaches_the_search_and_the_imagery():
    typed = {"upscale": "x4", "selective": False, "min_length_m": 40.0, "priority": "mostRecent",
             "threshold": 0.7, "max_cloud": 5}  # fmt: skip
    assert not typed.keys() & NOT_SUBMITTED
    message = JobMessage.from_options("bay", [4.0, 51.0, 4.1, 51.1], "", typed)
    request = message.request((4.0, 51.0, 4.1, 51.1), 16)
    answer = {**request.model_dump(), **request.search.model_dump()}
    assert {name: answer[name] for name in typed} == typed


def test_the_page_has_a_control_for_every_option():
    assert {field.name for field in fields(SearchInputs)} == set(Search.model_fields)
    controls = {field.name for field in fields(AreaInputs)}
    assert controls == {*ImageryOptions.model_fields, "west", "south", "east", "north"}


def test_every_option_says_what_it_is():
    answer = dict(option_fields(AreaRequest, ImageRequest, Search))
    assert set(answer) == {*AREA, *IMAGE}
    for name, field in answer.items():
        assert field.description[0].islower() and not field.description.endswith("."), name


def test_options_may_be_given_by_position_and_get_their_defaults():
    @with_options(Search)
    def function(first: int, **options: object) -> dict[str, object]:
        return {"first": first, **options}

    given = function(1, "x4")
    assert given["upscale"] == "x4" and given["min_length_m"] == 25.0
    with pytest.raises(TypeError):
        function(1, unknown=2)


def test_a_wrong_name_comes_with_the_right_one():
    with pytest.raises(BadOption, match=r"no such option: did you mean threshold\?$"):
        Search.check(treshold=0.4)
    with pytest.raises(BadOption, match=r"^Upscale: 'x8' is not one of none, x4, x16\.$"):
        Search.check(upscale="x8")
