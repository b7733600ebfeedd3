"""What `vicinia --help` ends with: an example, and what the exit statuses mean."""

from __future__ import annotations

__all__ = ["EPILOG"]

EXAMPLE = """Example, from the invitation to the result:
vicinia login --invitation-file invitation.txt
vicinia datasets
vicinia check JOB.toml
vicinia submit JOB.toml
vicinia watch 3f9a
vicinia result 3f9a --csv > result.csv
and of a job that trains a model:
vicinia result 3f9a --out model
vicinia predict model/model.safetensors DATA.csv > predicted.csv
"""
STATUSES = (
    "Exit statuses: 0 done; 1 a defect of the program; 2 wrong input; 3 not found, or there already; 4 not you, or not "
    "allowed; 5 not accepted; 6 a proof does not hold; 7 the run failed; 8 the coordinator cannot be reached, or is of "
    "another version; 9 the folder cannot be used; 130 interrupted. Errors are one sentence on stderr."
)
# Markdown: a backslash keeps the end of a line.
EPILOG = EXAMPLE.replace("\n", "\\\n\n") + STATUSES
