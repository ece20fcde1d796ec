"""The order of a search's trials, and why it is so."""

from archsearch.ranking.first import why_first
from archsearch.ranking.order import TIERS, Rankable, Ranked, by_rank, leader, rank, tier
from archsearch.ranking.reasons import deciding, indistinguishable, score_noise
from archsearch.ranking.score import best_run, score, trial_score
from archsearch.ranking.table import COLUMNS, table

__all__ = [
    "COLUMNS",
    "TIERS",
    "Rankable",
    "Ranked",
    "best_run",
    "by_rank",
    "deciding",
    "indistinguishable",
    "leader",
    "rank",
    "score",
    "score_noise",
    "table",
    "tier",
    "trial_score",
    "why_first",
]
