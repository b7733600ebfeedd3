"""Clipping, rounding, noise and accounting: what makes a sum over households differentially private.

Modules are imported by name. `account`, `conversion` and `noise` are light; `encode`, `gaussian`, `rounding` and
`stream` need numpy.
"""
