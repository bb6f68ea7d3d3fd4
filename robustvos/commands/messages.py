"""Long parser messages in one line."""

from __future__ import annotations

import logging
import re
import warnings

_NOISE = re.compile(
    r"^(Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value.*|- Expected a <class 'NoneType'>"
    r"|Problem with given class_path .*:)$"
)


def condense(message: str) -> str:
    """What a person needs of jsonargparse's message: which key, and what is wrong with it.

    >>> condense('''Parser key "data":
    ...   Does not validate against any of the Union subtypes
    ...   Errors:
    ...     - Problem with given class_path 'datamodules.Shapes':
    ...         unrecognized arguments: --sise=1
    ...     - Expected a <class 'NoneType'>''')
    'data: Problem with given class_path datamodules.Shapes: unrecognized arguments: --sise=1'
    """
    lines = [line.strip() for line in message.splitlines()]
    kept = [line.removeprefix("- ") for line in lines if line and not _NOISE.match(line)]
    text = " ".join(dict.fromkeys(kept)).replace("'", "")
    return re.sub(r'Parser key "([^"]+)":', r"\1:", text)


def quieten() -> None:
    """Silence what libraries say about themselves on every run: advertisements, and deprecations that are theirs."""
    warnings.filterwarnings("ignore", message=".*LightningCLI's args parameter.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*You have overridden `transfer_batch_to_device`.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "litlogger" not in record.getMessage())
