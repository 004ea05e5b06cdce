"""Common corruptions of pictures, by family and severity."""
