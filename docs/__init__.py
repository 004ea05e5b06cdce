"""The pages of the documentation, and in `_site` what the site is made of besides them."""
