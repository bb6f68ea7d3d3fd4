"""The commands, in words."""

from __future__ import annotations

from robustvos.program import program

LOOPS = {
    "fit": "train a system",
    "validate": "score a system on the validation videos",
    "test": "score a system on the test videos: results.json, masks, strips",
    "predict": "write masks without scoring",
}
TOOLS = {
    "track": "follow objects through any video, camera or stream",
    "annotate": "mark objects of a video in the browser, with the tracker at hand",
    "review": "judge the clips of a realvas run in the browser, and correct its masks",
    "corrupt": "corrupted copies of a dataset or of videos",
    "realvas": "make clips with exact amodal masks from videos of static cameras",
    "score": "J and F of a folder of masks against another",
    "experiment": "every row of a table of the paper, trained, tested and tabled",
    "report": "one page of tables and pictures from any number of runs",
    "inspect": "modules and parameters of a system; of a dataset (--data); the model zoo (--zoo)",
    "external": "systems that run elsewhere: what they are given, their command, their masks scored",
    "export": "the trained weights of a run, as safetensors or in the public MoGA release's form",
}
_NAMES = """names:
  --data NAME, --model NAME, --sam2 NAME and --recipe NAME are files in configs/; a path or a class will do as well.
  They replace what --config says; single settings follow: --model.adapter.rank 8 --data.test.limit 3 --trainer.max_epochs 2
  COMMAND --data NAME --model NAME --help lists those of that dataset and that system.

runs:
  fit, validate, test and predict leave their files in runs/RUN/version_N (--run RUN).
  Weights of a run fit the system that made them: another rank or base is refused."""


def usage() -> str:
    """The list of subcommands."""
    lines = [f"usage: {program()} COMMAND [OPTIONS]   (each has --help; --debug shows tracebacks)", ""]
    for title, group in (("loops", LOOPS), ("tools", TOOLS)):
        lines += [f"{title}:", *(f"  {name:<10} {text}" for name, text in group.items()), ""]
    return "\n".join([*lines, _NAMES])
