"""Remedies: what to train next for a fault, as changes of an architecture or of its recipe."""

from archsearch.remedies.advice import ADVICE, Advice, Remedy, remedies
from archsearch.remedies.change import Change, Changed, Subject

__all__ = ["ADVICE", "Advice", "Change", "Changed", "Remedy", "Subject", "remedies"]
