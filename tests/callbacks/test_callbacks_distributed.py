"""Two processes, videos of different lengths: everyone writes its own, and no one waits for the other."""

from __future__ import annotations

import lightning as L
import torch

from callbacks.mask_writer import MaskWriter
from callbacks.strip_writer import StripWriter
from robustvos.evaluation.protocol import protocol_named
from robustvos.evaluation.records import VideoResult
from robustvos.types import TrackedFrame


class Oracle(L.LightningModule):
    """Finds exactly the truth."""

    protocol = protocol_named("davis")

    def test_step(self, video, batch_idx):
        self.tell("on_video_start", video)
        for t, masks in enumerate(video.masks):
            one = torch.ones(len(masks))
            tracked = TrackedFrame(t, video.object_ids, masks, masks.float(), one, one)
            self.tell("on_tracked_frame", video, video.frames[t], tracked)
        self.tell("on_video_end", video, VideoResult(video.name, video.corruption, ()))

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch

    def tell(self, event, *what):
        for callback in self.trainer.callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(self.trainer, self, *what)


def test_processes_share_the_videos_and_one_folder(two_processes, tmp_path, make_video, videos_of):
    lengths = {"a": 1, "b": 6, "c": 2, "d": 3, "e": 1}
    trainer = two_processes(MaskWriter(), StripWriter(per_condition=1, frames=2))
    videos = videos_of([make_video(name, frames=count) for name, count in lengths.items()])
    trainer.test(Oracle(), datamodule=videos, verbose=False)
    written = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "masks").iterdir()}
    assert written == lengths
    assert {path.name for path in (tmp_path / "figures" / "strips").iterdir()} == {"a", "b"}  # the first of each share
