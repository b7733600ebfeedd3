"""What the coordinator does, one service a noun; no gRPC in here, and no SQL."""
