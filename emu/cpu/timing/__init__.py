"""How many cycles an instruction takes: a table for each instruction set, with a column for each core."""
