"""Libraries that not every installation has: imported in the function that needs them, and missed in one clear line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from robustvos.errors import MissingExtra, UserError


def require(module: str, extra: str) -> Any:
    """Import an optional library.

    Args:
        module: Name of the module, e.g. ``transformers`` or ``pymatting.alpha``.
        extra: The extra of this package that installs it.

    Returns:
        The module.

    Raises:
        MissingExtra: If the library is not installed.
        UserError: If it is installed, but something that it imports itself is missing or broken.

    >>> require("json", "dev").dumps([1])
    '[1]'
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        if (error.name or package).partition(".")[0] == package and isinstance(error, ModuleNotFoundError):
            raise MissingExtra.of(package, extra) from error
        reason = " ".join(str(error).split())
        raise UserError(
            f"the package '{package}' is installed, but cannot be imported ({reason}); reinstall it with: "
            f"pip install --force-reinstall {package}"
        ) from error
