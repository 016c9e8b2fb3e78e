"""Reports for people: figures of the emulated chip next to the published ones."""
