"""One file per family of datasets."""

from datamodules.base import Data
from datamodules.corrupted_vos import CorruptedVOS
from datamodules.hidden import Hidden
from datamodules.pasted import Pasted
from datamodules.real_adverse import RealAdverse
from datamodules.realvas import RealVAS
from datamodules.shapes import Shapes

__all__ = ["CorruptedVOS", "Data", "Hidden", "Pasted", "RealAdverse", "RealVAS", "Shapes"]
