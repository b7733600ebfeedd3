"""The closed vocabulary of computations: definition, query text, frozen plan, vector, finished cells.

Modules are imported explicitly. What imports need (`dataset`, `mapping`, `source`, `cleaner`, `schema`) is light enough
for the home's daemon; `parser` loads sqlglot, `local` and `finalise` load numpy.
"""
