"""The researcher's console: the command `vicinia`."""
