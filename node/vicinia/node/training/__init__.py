"""What a home computes in a training round: for each recipe one module with `statistic`, numpy alone.

Imported by the child process of a training round, never by the daemon at rest.
"""
