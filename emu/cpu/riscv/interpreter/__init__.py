"""The second engine of the RV32IMC host: an interpreter, whose loop is native code."""
