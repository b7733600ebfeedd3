"""The public log: canonical JSON, signed statements, the Merkle tree and its proofs, checkpoints and witnesses."""
