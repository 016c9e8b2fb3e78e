"""Loops that copy or fill memory, carried out many rounds at a time."""
