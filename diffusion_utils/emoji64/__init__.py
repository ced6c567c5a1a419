"""The text-to-image model that ships with the book."""
