"""Functions that take the options of :mod:`shipdet.requests` by keyword.

``with_options(Search)`` gives a function that ends in ``**options`` a signature with one parameter
per field of the model, so that ``help``, editors, the command line and the web API all show what
the model defines.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Function = TypeVar("Function", bound=Callable[..., Any])
#: Turns a field into the annotation and the default of a parameter.
Style = Callable[[str, FieldInfo], tuple[Any, Any]]


def option_fields(
    *models: type[BaseModel], leave_out: Collection[str] = ()
) -> Iterator[tuple[str, FieldInfo]]:
    """Name and definition of every option of some models that has a description for a user."""
    for model in models:
        for name, field in model.model_fields.items():
            if field.description and not field.is_required() and name not in leave_out:
                yield name, field


def group(field: FieldInfo) -> str:
    """The heading below which an option is shown."""
    extra = field.json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) and "group" in extra else "Options"


def plainly(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """A parameter with the field's own type and default."""
    return field.annotation, field.default


def with_options(
    *models: type[BaseModel], leave_out: Collection[str] = (), style: Style = plainly
) -> Callable[[Function], Function]:
    """Replace the ``**options`` of a function by one parameter per option.

    Args:
        models: Where the options are defined.
        leave_out: Names of fields that the function does not take.
        style: How a field becomes an annotation and a default.

    Returns:
        A decorator. The function it returns may be called with keywords or by position, and
        receives every option, those that were not given with their default.
    """

    def decorated(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        *own, last = signature.parameters.values()
        assert last.kind is inspect.Parameter.VAR_KEYWORD, "the function must end in **options"
        taken = {parameter.name for parameter in own}
        # After keyword-only parameters come keyword-only ones, else those that have a position.
        kind = own[-1].kind if own else inspect.Parameter.KEYWORD_ONLY
        added = []
        for name, field in option_fields(*models, leave_out=leave_out):
            if name not in taken:
                annotation, default = style(name, field)
                added.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
        full = signature.replace(parameters=[*own, *added])

        def bound(args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
            values = full.bind(*args, **options)
            values.apply_defaults()
            return dict(values.arguments)

        wrapper: Any
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapper(*args: Any, **options: Any) -> Any:
                return (yield from function(**bound(args, options)))

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **options: Any) -> Any:
                return function(**bound(args, options))

        del wrapper.__wrapped__
        wrapper.__signature__ = full
        wrapper.__annotations__ = {p.name: p.annotation for p in full.parameters.values()}
        wrapper.__annotations__["return"] = full.return_annotation
        result: Function = wrapper
        return result

    return decorated
