"""Property tests of every reader of bytes from outside. `make fuzz` tries each with 100,000 inputs (CONTRIBUTING.md)."""
