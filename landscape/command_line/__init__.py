"""What the command line can be told by other means: files of settings, and completion."""
