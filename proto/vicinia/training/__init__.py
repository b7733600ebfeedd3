"""Model training: the closed vocabulary of what may be trained, and every step that is not taken inside a home.

A *recipe* says what a home's vector holds and how long it can be at most; a *model* is what travels to the homes; a
*plan* is what the members vote on. Everything here is pure: the homes, the coordinator, the researcher and whoever
replays a training run compute the same from the same bytes.
"""
