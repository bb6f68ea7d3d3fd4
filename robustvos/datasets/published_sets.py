"""What the public sets are and where they are to be had; none comes with this project."""

from __future__ import annotations

from dataclasses import dataclass

from robustvos.program import program


@dataclass(frozen=True)
class PublishedSet:
    """A card for a message: enough to decide whether to download it.

    Attributes:
        title: Name, version, content.
        size: Of the download, in words.
        where: Page or file.
        licence: Of the set, where its use is limited.
        paper: That it comes with, where nothing else says.
        hub: ``owner/name`` on the Hugging Face Hub, if it is there.
    """

    title: str
    size: str
    where: str
    licence: str = ""
    paper: str = ""
    hub: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, [self.title, self.paper, self.licence, self.size, self.where]))


_ROBUSTPVOS = "https://sohyun-l.github.io/RobustPVOS_project_page/"


def _render(original: str, copy: str) -> str:
    return f"render it with `{program()} corrupt {original} {copy}`"


PUBLISHED = {
    "davis": PublishedSet(
        "DAVIS 2017 TrainVal at 480p, 90 videos, every frame annotated",
        "794 MB",
        "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-trainval-480p.zip",
    ),
    "davis2016": PublishedSet(
        "DAVIS 2016, 50 videos with one object, every frame annotated",
        "480p and 1080p in one file",
        "https://graphics.ethz.ch/Downloads/Data/Davis/DAVIS-data.zip",
    ),
    "davis_c": PublishedSet("DAVIS under 8 corruptions", "794 MB for each", _render("data/DAVIS", "data/DAVIS-C")),
    "mose_c": PublishedSet(
        "MOSE under 8 corruptions", "about 20 GB for each", _render("data/MOSE/train", "data/MOSE-C")
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
    "youtube_vos_c": PublishedSet(
        "YouTube-VOS-C of the RobustPVOS benchmark, 507 videos under 8 corruptions",
        "size unknown",
        _ROBUSTPVOS,
    ),
    "robustpvos_train": PublishedSet(
        "training set of RobustPVOS, MOSE, YouTube-VOS and DAVIS under 8 corruptions, 46,768 clips",
        "size unknown",
        _ROBUSTPVOS,
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
    "realvas": PublishedSet(
        "Real-VAS, 400 clips, 21,436 frames, whole and visible masks on every frame",
        "its size is said before it is fetched",
        "https://huggingface.co/datasets/fhudson96/Real-VAS",
        licence="CC BY-NC 4.0, not for commercial use",
        paper="arXiv 2611.00430",
        hub="fhudson96/Real-VAS",
    ),
}
"""By the name that ``configs/data`` and ``$ROBUSTVOS_DATA`` know them by."""

OWN = "a folder in DAVIS layout: JPEGImages/VIDEO/*.jpg and Annotations/VIDEO/*.png; see docs/own_data.md"
"""What is said of any other set."""

SIZES_FROM = "Lee et al., Robust Promptable Video Object Segmentation, CVPR 2026, arXiv 2605.12006, Table 1"


@dataclass(frozen=True)
class PublishedSize:
    """A row of the paper's table of datasets.

    Attributes:
        clips: Videos.
        frames: Of all of them.
        objects: As the paper counts them.
        part: Which part of the set on disk it is to be compared with, as :mod:`datamodules.set_size` calls it.
        remark: What is to be said of the numbers; None: nothing.
        source: The table.
    """

    clips: int
    frames: int
    objects: int
    part: str = "all"
    remark: str | None = None
    source: str = SIZES_FROM


_MASKS = "50 or more objects a clip can only be masks: compare with that column"

SIZES = {
    "acdc_video": PublishedSize(149, 3_259, 613),
    "mvseg": PublishedSize(202, 13_581, 1_930),
    "realvas": PublishedSize(
        400,
        21_436,
        160,
        remark="several clips show one object; here each counts its own",
        source="Real-VAS, arXiv 2611.00430",
    ),
    "robustpvos_train": PublishedSize(46_768, 1_774_560, 3_872_048, "all corruptions", _MASKS),
    "youtube_vos_c": PublishedSize(507, 13_710, 25_574, "each corruption", _MASKS),
}
"""By the name in ``configs/data``; other sets are not in that table."""
