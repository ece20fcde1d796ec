"""The order of a search's trials, and why it is so."""

from archsearch.ranking.first import why_first
from archsearch.ranking.order import TIERS, Ranked, Standing, by_standing, leader, rank, tier
from archsearch.ranking.reasons import deciding, indistinguishable, score_noise
from archsearch.ranking.score import best_run, score, trial_score
from archsearch.ranking.table import COLUMNS, table

__all__ = [
    "COLUMNS",
    "TIERS",
    "Ranked",
    "Standing",
    "best_run",
    "by_standing",
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
