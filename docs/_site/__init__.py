"""What the documentation site is made of besides docs/: references and the repository's pages."""
