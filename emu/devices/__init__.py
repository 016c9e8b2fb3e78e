"""Peripherals, a file each."""
