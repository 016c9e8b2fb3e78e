"""Cortex-M: the parts of the core around the instructions that Unicorn executes."""
