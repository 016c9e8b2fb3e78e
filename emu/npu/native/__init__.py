"""The arithmetic of the tiles and of the activation unit, compiled by numba for this processor.

`convolution` is the interface. numba is imported when something is prepared or computed, not before.
"""
