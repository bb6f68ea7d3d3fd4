"""Text as Windows, macOS and Linux write it: lists of names, and JSON by hand."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from robustvos.errors import DataNotFound
from robustvos.files.names import check_relative, nfc

_MARKS = (  # the longer ones first: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")  # not splitlines(), which breaks names at rarer characters
_INVISIBLE = "\ufeff\u200b\u2060"


def read_text(path: Path) -> str:
    """A text file in UTF-8 or UTF-16 (32), with or without a byte order mark, or in the Latin-1 of Windows.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no text: it holds control characters, or is not what its mark says.
    """
    return decode_text(path.read_bytes())


def decode_text(data: bytes) -> str:
    """The text of a file's bytes; see :func:`read_text`.

    >>> decode_text("bär".encode("utf-16")), decode_text("bär".encode("latin-1")), decode_text("bär".encode("utf-8-sig"))
    ('bär', 'bär', 'bär')
    """
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", _guess(data)))
    text = data[len(mark) :].decode(encoding)
    wide = encoding.startswith(("utf-16", "utf-32"))
    if any(unicodedata.category(c) == "Cc" and c not in "\t\r\n\f" for c in text):
        raise ValueError("it holds control characters")
    if wide and text and min(text) > "\xff":  # not even an end of line: bytes that only look like text
        raise ValueError(f"it is no {encoding}")
    return text


def read_names(path: Path, what: str = "name") -> list[str]:
    """The names of a list, one a line, in order; each once, also if its accents are composed otherwise the second time.

    Args:
        path: The list.
        what: What it names, for messages: ``video``.

    Spaces around names, and lines without one, are passed over. A name may have parts, ``weather/video``.

    Raises:
        UnsafePath: If a name would lead elsewhere; says which line. See :func:`robustvos.files.names.check_relative`.
        DataNotFound: If the file is no text, or names nothing.
    """
    found: dict[str, str] = {}
    for line, where in read_lines(path, what):
        name = check_relative(line, where)
        found.setdefault(nfc(name), name)
    return list(found.values())


def read_lines(path: Path, what: str = "name") -> list[tuple[str, str]]:
    """Each line that is not empty, and where it is (``val.txt, line 3``), for messages.

    Args:
        path: The list.
        what: What it names, for messages.

    Raises:
        DataNotFound: If the file is no text, or holds nothing.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataNotFound(
            f"{path} is not readable as text ({reason}); expected one name a line, best in UTF-8"
        ) from error
    lines = enumerate((line.strip().strip(_INVISIBLE).strip() for line in _LINE_ENDS.split(text)), 1)
    found = [(line, f"{path}, line {number}") for number, line in lines if line]
    if not found:
        raise DataNotFound(f"{path} names no {what}; expected one name a line")
    return found


def _guess(data: bytes) -> str:
    """The encoding of a text without a mark."""
    if b"\0" in data:  # UTF-16 of Latin letters has one every other byte
        odd, even = data[1::2].count(0), data[::2].count(0)
        return "utf-16-le" if odd > even else "utf-16-be" if even > odd else "utf-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1"
        return "cp1252"
    return "utf-8"
