"""Lets a user change what no setting foresees: the `transform` of a `customize.py`.

It is called with each resource before the engine looks at it, those that awsx makes inside of the
network included. docs/customize.md is for who writes one.
https://www.pulumi.com/docs/iac/concepts/options/transforms/
"""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import pulumi

FILE: Final = "customize.py"
FUNCTION: Final = "transform"
SIGNATURE: Final = (
    "def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None"
)
REMEDY: Final = "Correct it, or take the file away."
TOLD: Final = 32
"""The exit status by which Pulumi adds no message of its own.
https://github.com/pulumi/pulumi/blob/v3.250.0/sdk/python/cmd/pulumi-language-python-exec"""

Transform = Callable[[pulumi.ResourceTransformArgs], Any]


def customize(folder: Path) -> None:
    """Have the customize.py of a folder, if there is one, transform all that is made from now on.

    Raises `pulumi.RunError` for a file that cannot be loaded or has no `transform`.
    """
    file = folder / FILE
    if os.path.lexists(file):
        pulumi.runtime.register_resource_transform(_checked(_load(file), file))


def _load(file: Path) -> Transform:
    name = file.stem
    spec = util.spec_from_file_location(name, file)
    if not spec or not spec.loader:
        raise pulumi.RunError(f"{file}: is no Python file. {REMEDY}")
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise pulumi.RunError(f"{_place(file, error)}: {_said(error)}. {REMEDY}") from None
    transform = getattr(module, FUNCTION, None)
    if not callable(transform) or not _takes_one(transform):
        raise pulumi.RunError(f"{file}: must define {SIGNATURE}. {REMEDY}")
    return cast("Transform", transform)


def _takes_one(transform: Callable[..., Any]) -> bool:
    try:
        inspect.signature(transform).bind(None)
    except TypeError:
        return False
    return True


def _checked(transform: Transform, file: Path) -> pulumi.ResourceTransform:
    async def checked(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        what = f"{args.type_} {args.name}"
        try:
            result = transform(args)
            if inspect.isawaitable(result):
                result = await result
        except (Exception, SystemExit) as error:
            _stop(f"{_place(file, error)}: {what}: {_said(error)}. {REMEDY}")
        if fault := _fault(result):
            _stop(f"{file}: {what}: transform returns {fault}. {REMEDY}")
        return cast("pulumi.ResourceTransformResult | None", result)

    return checked


def _fault(result: Any) -> str | None:
    """What is wrong with the answer of a transform."""
    if result is None:
        return None
    if not isinstance(result, pulumi.ResourceTransformResult):
        return (
            f"{type(result).__name__}, and must return a pulumi.ResourceTransformResult, or None "
            "to leave it as it is"
        )
    props, opts = cast("Any", result.props), cast("Any", result.opts)
    if not isinstance(props, Mapping):
        return (
            f"{type(props).__name__} as the inputs, and must return all of them, args.props with "
            "what is changed"
        )
    if not isinstance(opts, pulumi.ResourceOptions | None):
        return (
            f"{type(opts).__name__} as the options, and must return args.opts, or a "
            "pulumi.ResourceOptions"
        )
    return None


def _stop(message: str) -> NoReturn:
    """Say it, and end the program.

    An exception would come once for each resource that waits, each time with the engine's traces.
    """
    pulumi.log.error(message)
    os._exit(TOLD)


def _place(file: Path, error: BaseException) -> str:
    """The file, with the line where it went wrong, if that is in it."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(file)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(file):
        lines.append(error.lineno)
    return f"{file}, line {lines[-1]}" if lines else str(file)


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
