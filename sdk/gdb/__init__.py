"""A server of GDB's remote protocol, for debuggers that people have already."""
