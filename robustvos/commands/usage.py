"""What the door offers, in words."""

from __future__ import annotations

LOOPS = {
    "fit": "train a system",
    "validate": "score a system on the validation clips",
    "test": "score a system on the test clips: results.json, masks, strips",
    "predict": "write masks without scoring",
}
TOOLS = {
    "track": "follow objects through any video or folder of frames",
    "corrupt": "corrupted copies of a dataset or of videos",
    "score": "J and F of a folder of masks against another",
    "experiment": "every row of a table of the paper, trained, tested and tabled",
    "report": "one page of tables and pictures from any number of runs",
    "inspect": "modules and parameters of a system; clips and objects of a dataset (--data)",
    "export": "the trained weights of a run, as safetensors or in the public MoGA release's form",
}
_NAMES = """names:
  --data NAME, --model NAME, --sam2 NAME and --recipe NAME are files in configs/; a path or a class will do as well.
  They replace what --config says; single settings follow: --model.adapter.rank 8 --data.test.clips 3 --trainer.max_epochs 2

runs:
  fit, validate, test and predict leave their files in runs/RUN/version_N (--run RUN).
  Weights of a run fit the system that made them: another rank or base is refused."""


def usage() -> str:
    """The list of subcommands."""
    lines = ["usage: python cli.py COMMAND [OPTIONS]   (each has --help; --debug shows tracebacks)", ""]
    for title, group in (("loops", LOOPS), ("tools", TOOLS)):
        lines += [f"{title}:", *(f"  {name:<10} {text}" for name, text in group.items()), ""]
    return "\n".join([*lines, _NAMES])
