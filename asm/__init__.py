"""The accelerator assembly language: instruction set, assembler, disassembler."""
