"""Score masks that any other program wrote, by DAVIS's rules: predictions/<video>/00000.png against the truth's.

python examples/score_masks.py predictions mine/Annotations out --system theirs
"""

import argparse
from pathlib import Path

from robustvos.evaluation.protocol import DatasetFacts, protocol_for
from robustvos.evaluation.score_folders import score_folders

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("predictions", type=Path, help="<video>/<frame>.png, the value is the object's number")
arguments.add_argument("truth", type=Path, help="the same")
arguments.add_argument("out", type=Path)
arguments.add_argument("--system", default="masks", help="name of the row in tables")
given = arguments.parse_args()

# The first frame is given and the last is not scored, as DAVIS's own toolkit has it.
protocol = protocol_for("davis", DatasetFacts(skip_first_last=True))
about = {"system": given.system, "dataset": given.truth.parent.name}
found = score_folders(given.predictions, given.truth, protocol, out=given.out, about=about)
for score in found.run.objects:
    print(f"{score.video}, object {score.object_id}:", {name: round(value, 3) for name, value in score.scores.items()})
print({name: round(value, 3) for name, value in found.statistics.items()})
print(f"scores.csv, and results.json for `python cli.py report`: {given.out}")
