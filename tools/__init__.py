"""Tools for those who work on the product. Nothing here is part of it."""
