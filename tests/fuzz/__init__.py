"""Property tests of every reader of bytes from outside. `make fuzz` tries 100,000 inputs each (CONTRIBUTING.md)."""
