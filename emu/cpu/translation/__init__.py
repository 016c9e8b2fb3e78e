"""A small compiler: functions of integers, written in a part of Python, become machine code by LLVM.

See `module` for the language.
"""
