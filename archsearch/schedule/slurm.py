"""Jobs as a batch script of Slurm: one, or an array with an element for each."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import timedelta
from textwrap import indent
from zoneinfo import ZoneInfo

from archsearch.errors import ExitCode
from archsearch.schedule.job import File, Job, program
from archsearch.schedule.moments import read
from archsearch.schedule.needs import REPORT_MINUTES, needs_of
from archsearch.schedule.spans import DAY_SECONDS

# What is interrupted so often has a time limit in which it gets nowhere, or a disk that stays full.
MOST_RESTARTS = 100

# So long before the time of --until a start is too late: the search itself takes a moment to begin, and past
# that time it would take it for the next day's.
LATE_SECONDS = 60


def render(jobs: Sequence[Job]) -> tuple[File, ...]:
    """A script for ``sbatch``, in the words of Slurm 22.05 and later (sbatch(1), scontrol(1)).

    Parameters
    ----------
    jobs : sequence of Job
        At least one.
    """
    name = f"{_name(jobs)}.sbatch"
    parts = [_head(jobs, name) + _options(jobs), _search(jobs), _GPUS, _RUN, _requeue(jobs)]
    return (File(name, "\n".join(parts)),)


def _name(jobs: Sequence[Job]) -> str:
    return jobs[0].name + (f"+{len(jobs) - 1}" if len(jobs) > 1 else "")


def _head(jobs: Sequence[Job], name: str) -> str:
    names = ", ".join(job.name for job in jobs)
    what = f"The search {names} as a job" if len(jobs) == 1 else f"The searches {names} as an array of jobs"
    return f"""\
#!/bin/bash
# {what} of Slurm. To submit it:
#   sbatch {name}
# What only your site knows comes before the name: sbatch --partition=gpu --account=physics {name}
{"".join(_recurring(jobs, name))}"""


def _recurring(jobs: Sequence[Job], name: str) -> Iterator[str]:
    """A line of Slurm's own crontab for each time."""
    times = dict.fromkeys(job.at for job in jobs if job.at is not None)
    if times:
        yield """\
# At its times: what follows, with the path of this file, in `scrontab -e`, or in `crontab -e` where your site
# has no scrontab. Nothing is submitted while the job of an earlier time waits or runs.
"""
    for at in times:
        elements = [number for number, job in enumerate(jobs) if job.at == at]
        called = _name([jobs[number] for number in elements])
        numbers = ",".join(map(str, elements))
        part = "" if len(elements) == len(jobs) else f" --job-name={called} --array={numbers}"
        yield f'#   {at} [ "$(squeue --me --noheader --name={called})" ] || sbatch{part} /path/to/{name}\n'


def _options(jobs: Sequence[Job]) -> str:
    needs = needs_of(jobs)
    gpus = (
        f"#SBATCH --gres=gpu:{needs.gpus}" if needs.gpus else "# No GPU is asked for: that is --gres=gpu:1."
    )
    return f"""\
#SBATCH --job-name={_name(jobs)}
{_array(jobs)}\
# One process, which starts its workers itself. A core for it and one for each training at a time: --workers,
# --gpus, else the space's `execution`, as it was when this was printed. Large data need more memory.
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={needs.cores}
#SBATCH --mem={needs.gib}G
{gpus}
{_time(needs.minutes)}\
# A minute before its time is up, or two, the job is told to stop. B: this script is, not what srun starts.
#SBATCH --signal=B:TERM@60
{_restarts(jobs)}\
# The log of another start goes below that of the one before.
#SBATCH --open-mode=append
#SBATCH --output={_log(jobs)}
"""


def _array(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        return ""
    return f"""\
# An element for each search; each gets what the largest needs.
#SBATCH --array=0-{len(jobs) - 1}
"""


def _time(minutes: int | None) -> str:
    if minutes is None:
        return "# The time is the partition's own. When it is up, the search goes on in another start.\n"
    whole = minutes + REPORT_MINUTES
    return f"""\
# The search ends by itself after its hours; then come its report and MLflow.
#SBATCH --time={whole // 60}:{whole % 60:02}:00
"""


def _restarts(jobs: Sequence[Job]) -> str:
    if all(job.until for job in jobs):
        return """\
# After the time of --until, another start would go on to that of the next day.
#SBATCH --no-requeue
"""
    return """\
# Where its node fails, or a more urgent job takes its place, Slurm starts it again, and the search goes on.
#SBATCH --requeue
"""


def _log(jobs: Sequence[Job]) -> str:
    """The path of the logs as sbatch reads it: with a shell's quotes, but a backslash counts within them."""
    number = "%j" if len(jobs) == 1 else "%A_%a"
    folder = str(jobs[0].folder).replace("\\", "\\\\").replace("%", "%%")
    return shlex.quote(f"{folder}/%x-{number}.log")


def _search(jobs: Sequence[Job]) -> str:
    if len(jobs) == 1:
        return _command(jobs[0])
    elements = "".join(
        f"    {number})\n{indent(_command(job), ' ' * 8)}        ;;\n" for number, job in enumerate(jobs)
    )
    return f"case $SLURM_ARRAY_TASK_ID in\n{''.join(elements)}esac\n"


def _command(job: Job) -> str:
    """Where and what, a line for each option, and how often it may be started again."""
    skip = () if job.at is None else ("--if-locked", "skip")
    words = map(shlex.quote, (*program(), *job.words, *skip))
    lines = "".join(f"\n    {word}" if word.startswith("--") else f" {word}" for word in words)
    return f"""\
cd {shlex.quote(str(job.folder))} || exit {ExitCode.REFUSED:d}
{_SKIP if skip else ""}\
search=({lines.strip()}
)
restarts={0 if job.until else MOST_RESTARTS}
{_ONCE if job.until else ""}\
{_in_time(job.until) if job.at and job.until else ""}"""


def _in_time(until: str) -> str:
    """What ends a job that has waited in the queue past the time of ``--until``.

    That time has passed if from when the job was submitted to the next such time there is more than a day.
    """
    said = read(until)
    clock = timedelta(hours=said.clock.hour, minutes=said.clock.minute, seconds=said.clock.second)
    zone = ""
    if isinstance(said.zone, ZoneInfo):
        zone = f"TZ={said.zone.key} "
    elif said.zone is not None:
        zone, clock = "TZ=UTC0 ", clock - (said.zone.utcoffset(None) or timedelta())
    last = round(clock.total_seconds() - LATE_SECONDS) % DAY_SECONDS
    return f"""\
# A job that gets its node after the time of --until would train to that of the next day. It is such a job if
# more than a day lies between its submission and the next such time (less a minute, for archsearch to begin).
submitted=$(SLURM_TIME_FORMAT=standard squeue --noheader --format=%V --jobs="$SLURM_JOB_ID" | head -n 1)
submitted=$(date --date="${{submitted:-unknown}}" +%s)
read -r now hour minute second < <({zone}date '+%s %-H %-M %-S')
left=$((({last} - hour * 3600 - minute * 60 - second + {DAY_SECONDS}) % {DAY_SECONDS}))
if [[ $submitted ]] && ((now - submitted + left > {DAY_SECONDS})); then
    date -u +'{_TOO_LATE % until}' >&2
    exit 0
fi
"""


# As archsearch logs what is no event; date fills in the time.
_TOO_LATE = (
    '{"event": "note", "time": "%%FT%%TZ", "search": null, '
    '"message": "too late for --until %s: left to the next start"}'
)

_ONCE = """\
# After the time of --until, another start, as where its node has failed, would go on to that of the next day.
((${SLURM_RESTART_COUNT:-0})) && exit 0
"""

_SKIP = """\
# --if-locked skip: nothing to do, and no error, while somebody runs the same search by hand.
"""

_GPUS = """\
# Slurm names the GPUs that it has given to the job. Where it names none the job has none, whatever is there.
export CUDA_VISIBLE_DEVICES="${CUDA_VISIBLE_DEVICES-}"
"""

_RUN = """\
# In the background: bash hears of a signal only when a command in the foreground has ended. And without srun,
# which kills at once what it has started when it is told to stop.
"${search[@]}" &
process=$!
trap 'told=1; kill -TERM "$process" 2>/dev/null' TERM
# A signal ends the waiting while the search still saves: wait once more.
told=1
while ((told)); do
    told=0
    wait "$process"
    status=$?
done
"""


def _requeue(jobs: Sequence[Job]) -> str:
    one, element = "job=$SLURM_JOB_ID", "job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    which = f"# Not $SLURM_JOB_ID: that of the last element stands for the whole array.\n{element}"
    interrupted = f"{ExitCode.INTERRUPTED:d}"
    return f"""\
{one if len(jobs) == 1 else which}
# {interrupted}: interrupted, and everything is saved. Back into the queue; when its turn comes, it goes on.
# Not if somebody has cancelled it: then it no longer counts as running. And not for ever: what is interrupted
# so often has a time limit in which it gets nowhere, or a disk that stays full.
if ((status == {interrupted} && ${{SLURM_RESTART_COUNT:-0}} < restarts)) &&
    [[ $(squeue --noheader --format=%T --jobs="$job") == RUNNING ]]; then
    scontrol requeue "$job"
fi
exit "$status"
"""
