"""Links in the pages of the repository and of its site."""
