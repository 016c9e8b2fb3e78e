"""The imnpu command: one module a subcommand."""
