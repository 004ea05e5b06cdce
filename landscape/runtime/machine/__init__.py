"""The machine that a process runs on: its memory, its processors, and who else wants them."""
