"""Single pictures: what of a file is shown, and why one cannot be read."""

from __future__ import annotations

from PIL import Image, ImageOps

from robustvos.errors import BadVideo

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Endings, in lower case, of files that are taken for frames where a folder is searched for them."""

UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises of a file that is broken, no picture, or larger than any frame: a few bytes can unpack to gigabytes."""

_ORIENTATION = 0x0112  # EXIF's tag
_UPRIGHT = 1


def why_unreadable(error: Exception) -> str:
    """A few words: Pillow's own text repeats the path or names an object in memory."""
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels"
    return "not an image" if "cannot identify" in str(error) else " ".join(str(error).split())


def exif_orientation(image: Image.Image) -> int:
    """EXIF's number, 1 to 8; 1, upright, where a picture says nothing."""
    value = image.getexif().get(_ORIENTATION, _UPRIGHT)
    return value if value in range(1, 9) else _UPRIGHT


def upright(image: Image.Image) -> Image.Image:
    """The picture as it is shown: turned and mirrored as its EXIF orientation says."""
    return image if exif_orientation(image) == _UPRIGHT else ImageOps.exif_transpose(image)


def shown_size(image: Image.Image) -> tuple[int, int]:
    """``(H, W)`` of a picture as it is shown, from its header."""
    if image.format == "TIFF":  # turned by Pillow itself, some versions when it is opened and others when it is loaded
        image.load()
        return image.height, image.width
    sideways = exif_orientation(image) >= 5
    return (image.width, image.height) if sideways else (image.height, image.width)


def check_is_one_frame(image: Image.Image) -> None:
    """Refuse a file of several pictures, of which all but one would be lost.

    Raises:
        BadVideo: Naming the file.
    """
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or a map of depth behind the picture
        name = getattr(image, "filename", "picture")
        raise BadVideo(f"{name}: holds {count} pictures, one frame a file is expected; split it, or give it as a video")
