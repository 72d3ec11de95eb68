"""Generate function signatures from the models of :mod:`shipdet.requests`.

``with_options(Search)`` replaces the ``**options`` of a function with one parameter per field of
the model, so ``help``, editors, the command line and the web API show what the model defines.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Function = TypeVar("Function", bound=Callable[..., Any])
#: Converts a field's name and definition into the annotation and default of a parameter.
Style = Callable[[str, FieldInfo], tuple[Any, Any]]


def option_fields(
    *models: type[BaseModel], leave_out: Collection[str] = ()
) -> Iterator[tuple[str, FieldInfo]]:
    """Yield name and definition of every optional field that has a description."""
    for model in models:
        for name, field in model.model_fields.items():
            if field.description and not field.is_required() and name not in leave_out:
                yield name, field


def group(field: FieldInfo) -> str:
    """Return the heading under which an option is shown."""
    extra = field.json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) and "group" in extra else "Options"


def plainly(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """Use the field's own type and default."""
    return field.annotation, field.default


def with_options(
    *models: type[BaseModel], leave_out: Collection[str] = (), style: Style = plainly
) -> Callable[[Function], Function]:
    """Replace the ``**options`` of a function with one parameter per option.

    Args:
        *models: The models that define the options.
        leave_out: Names of fields to omit.
        style: Converts a field into an annotation and a default.

    Returns:
        A decorator. The decorated function receives every option, with its default if the caller
        omits it.
    """

    def decorated(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        *own, last = signature.parameters.values()
        assert last.kind is inspect.Parameter.VAR_KEYWORD, "the function must end in **options"
        taken = {parameter.name for parameter in own}
        # Keyword-only parameters must be followed by keyword-only parameters.
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
