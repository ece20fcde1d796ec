"""This user's crontab, as bytes."""

import subprocess


def crontab() -> bytes | None:
    """What it holds; None if there is none."""
    done = subprocess.run(["crontab", "-l"], capture_output=True)
    if done.returncode:
        assert b"no crontab for" in done.stderr, done.stderr
        return None
    return done.stdout


def set_crontab(text: bytes | None) -> None:
    """Make `text` the crontab; None: there is none."""
    if text is None:
        subprocess.run(["crontab", "-r"], stderr=subprocess.DEVNULL)
    else:
        subprocess.run(["crontab", "-"], input=text, check=True)
