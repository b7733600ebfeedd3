"""The closed vocabulary of model training: what a job may say about how a model is learnt.

Modules are imported explicitly. Nothing here needs Flower or numpy: homes and verifiers read what a job says.
"""
