"""How threads of a computation wait for each other, alone and beside busy processes."""
