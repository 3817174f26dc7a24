"""What of a faulty stack file is right all the same, so that the rest of it can be judged."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final, TypeGuard, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake

from langfuse_aws.settings import messages
from langfuse_aws.settings.model import Settings

_Model = TypeVar("_Model", bound=BaseModel)
_MISSING: Final = object()

Location = tuple[int | str, ...]


def of(values: Mapping[str, Any], wrong: Sequence[Location]) -> Settings:
    """Settings without the attributes that are wrong: whoever reads one gets an AttributeError.

    `wrong` are the places of pydantic's errors.
    """
    paths = {tuple(_path(location)) for location in wrong}
    return _part(Settings, values, (), paths)


def _path(location: Location) -> Iterator[str]:
    """The names of attributes, without the tag of a section that comes in several shapes."""
    for index, part in enumerate(location):
        if index != 1 or str(location[0]) not in messages.VARIANTS or len(location) == 2:
            yield to_snake(str(part))


def _part(
    model: type[_Model],
    values: Mapping[str, Any],
    above: tuple[str, ...],
    wrong: set[tuple[str, ...]],
) -> _Model:
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value = values.get(field.alias or name, _MISSING)
        path = (*above, to_snake(field.alias or name))
        if path in wrong or (value is _MISSING and field.is_required()):
            continue
        if value is _MISSING:
            make: Any = field.default_factory
            found[name] = make() if make else field.default
        elif _touched(path, wrong) and (section := _section(model, name, value)):
            found[name] = _part(section, cast(Mapping[str, Any], value), path, wrong)
        else:
            try:
                found[name] = _reader(model, name).validate_python(value)
            except ValidationError as error:
                if isinstance(value, Mapping):  # of a list it may matter how many there are
                    members = cast(Mapping[str, Any], value)
                    wrong_ones = {detail["loc"][:1] for detail in error.errors()}
                    found[name] = {key: members[key] for key in members if (key,) not in wrong_ones}
    part = model.model_construct(**found)
    for name in model.model_fields.keys() - found.keys():
        vars(part).pop(name, None)
    return part


def _touched(path: tuple[str, ...], wrong: set[tuple[str, ...]]) -> bool:
    """Whether something within is wrong; a section that is all right is read at once."""
    return any(each[: len(path)] == path for each in wrong)


def _section(model: type[BaseModel], name: str, value: Any) -> type[BaseModel] | None:
    """The shape of a section within `model`; None for a key that is none, or has no known shape."""
    if not isinstance(value, Mapping):
        return None
    if model is Settings and name in messages.VARIANTS:
        return messages.variant(name, cast(Mapping[str, Any], value))
    annotation = model.model_fields[name].annotation
    candidates: tuple[Any, ...] = (annotation, *getattr(annotation, "__args__", ()))
    return next((each for each in candidates if _is_model(each)), None)


def _is_model(candidate: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


@cache
def _reader(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    annotation: Any = field.annotation
    for each in field.metadata:
        annotation = Annotated[annotation, each]
    return TypeAdapter(annotation)
