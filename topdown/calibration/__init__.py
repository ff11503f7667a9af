"""Targets, free parameters, cost, optimiser and the loop of a campaign; samples come in through a protocol."""
