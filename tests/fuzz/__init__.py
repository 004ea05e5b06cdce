"""Files that are damaged on purpose, thousands of them: what every reader makes of them."""
