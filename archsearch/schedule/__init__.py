"""Searches as jobs of schedulers: cron, systemd, Slurm, Kubernetes."""

from archsearch.schedule.job import File, Job

__all__ = ["File", "Job"]
