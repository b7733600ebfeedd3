"""The gRPC edge: generated types and who is calling stop here."""
