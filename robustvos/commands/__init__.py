"""What the door opens to: the tools that share ``cli.py`` with Lightning's subcommands, and the names it understands."""
