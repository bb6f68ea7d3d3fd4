"""What is done to frames before they are tracked, one plugin per file; see :mod:`robustvos.restoration.base`."""

from robustvos.restoration.airnet import AirNet
from robustvos.restoration.base import Restorer
from robustvos.restoration.spandrel import Spandrel
from robustvos.restoration.urie import URIE

__all__ = ["URIE", "AirNet", "Restorer", "Spandrel"]
