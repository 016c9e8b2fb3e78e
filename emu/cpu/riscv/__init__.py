"""RV32IMC: the hart around its engines, one of which is the interpreter in here."""
