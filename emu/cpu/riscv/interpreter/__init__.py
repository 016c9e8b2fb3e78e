"""The second engine of the RV32IMC host: an interpreter, compiled by numba."""
