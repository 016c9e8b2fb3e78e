"""What people touch: the imnpu command, builder, loader, exporters, session, debugger."""
