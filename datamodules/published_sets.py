"""What the public sets are and where they are to be had; none comes with this project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedSet:
    """A card for a message: enough to decide whether to download it.

    Attributes:
        title: Name, version, content.
        size: Of the download, in words.
        where: Page or file.
    """

    title: str
    size: str
    where: str

    def __str__(self) -> str:
        return f"{self.title}; {self.size}; {self.where}"


_ROBUSTPVOS = "https://sohyun-l.github.io/RobustPVOS_project_page/"

PUBLISHED = {
    "davis": PublishedSet(
        "DAVIS 2017 TrainVal at 480p, 90 videos, every frame annotated",
        "794 MB",
        "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-trainval-480p.zip",
    ),
    "mose": PublishedSet(
        "MOSE (2023) train.tar.gz, 1,507 videos, every frame annotated",
        "about 20 GB",
        "https://henghuiding.github.io/MOSE/",
    ),
    "youtube_vos": PublishedSet(
        "YouTube-VOS 2019 train.zip, 3,471 videos, every fifth frame",
        "8.3 GB",
        "https://youtube-vos.org/dataset/vos/",
    ),
    "acdc_video": PublishedSet(
        "ACDC-Video of the RobustPVOS benchmark, 149 clips, 3,259 frames, masks on key frames",
        "size unknown",
        _ROBUSTPVOS,
    ),
    "mvseg": PublishedSet(
        "MVSeg as the RobustPVOS benchmark has it, 202 clips, 13,581 frames, masks on key frames",
        "size unknown",
        _ROBUSTPVOS,
    ),
    "mvseg_adv": PublishedSet(
        "MVSeg-adv of the RobustPVOS benchmark, clips of MVSeg under adverse conditions",
        "size unknown",
        _ROBUSTPVOS,
    ),
}
"""By the name that ``configs/data`` and ``$ROBUSTVOS_DATA`` know them by."""

OWN = "a folder in DAVIS layout: JPEGImages/VIDEO/*.jpg and Annotations/VIDEO/*.png; see docs/own_data.md"
"""What is said of any other set."""
