"""One question, one file: Settings, a Result, compute() and draw()."""
