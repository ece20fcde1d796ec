"""Jobs as CronJobs and Jobs of Kubernetes, with a claim for their store."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from archsearch.errors import ExitCode, Refused
from archsearch.schedule.deadlines import end_lines, start_lines
from archsearch.schedule.job import File, Job
from archsearch.schedule.moments import read
from archsearch.schedule.needs import needs_of

# Where the claim is mounted. Below it: the store of all searches, and a folder for each.
WORK = Path("/work")

# A CronJob's name has at most 52 characters: its Jobs' names are eleven longer, and labels.
LONGEST_NAME = 52


def render(jobs: Sequence[Job], image: str) -> tuple[File, ...]:
    """A stream of YAML documents for ``kubectl apply``.

    The claim; then for each job its space as a ConfigMap, and a CronJob, or a Job where it has no time. They
    are of the API of Kubernetes 1.31 and later, in which pod failure policies are stable.

    Parameters
    ----------
    jobs : sequence of Job
        At least one.
    image : str
        Of a container that has archsearch, as the Dockerfile of its repository makes it.

    Raises
    ------
    Refused
        If the file of a space is no text, or nothing but a time of day ends a job that may come late.
    OSError
        If it can't be read.
    """
    documents = [_HEAD]
    for job in jobs:
        documents += [_space(job)] if _has_file(job) else []
        documents.append(_once(job, image) if job.at is None else _recurring(job, job.at, image))
    return (File("archsearch.yaml", "---\n".join(documents)),)


def label(name: str) -> str:
    """The name of a job's objects: a DNS label in lower case (RFC 1123, section 2.1), one for each job."""
    if name == name.lower() and len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.lower()[: LONGEST_NAME - 1 - len(digest)]}-{digest}"


_HEAD = """\
# Searches as jobs of Kubernetes: kubectl apply -f FILE
#
# The disk of the searches: their store, their reports, and their data where those are files. To delete or
# replace all that is in this file would delete it and everything in it: delete jobs by their names.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: archsearch
  labels:
    app.kubernetes.io/name: archsearch
spec:
  # One node at a time, which any storage can do. Searches that run at the same time then run on that node;
  # with storage that can do ReadWriteMany, on any.
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 20Gi
"""


def _space(job: Job) -> str:
    path = Path(job.space)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: no text in UTF-8: {error.reason} at byte {error.start}") from None
    return f"""\
# The space. A change of it reaches the next start.
apiVersion: v1
kind: ConfigMap
metadata:
{_metadata(job)}\
data:
  space.yaml: {_block(text, " " * 4)}"""


def _recurring(job: Job, at: str, image: str) -> str:
    return f"""\
apiVersion: batch/v1
kind: CronJob
metadata:
{_metadata(job)}\
spec:
  schedule: {_quoted(at)}
{indent(start_lines(job), " " * 2)}\
  # One process holds a search: while a Job runs, no second one is started.
  concurrencyPolicy: Forbid
  # Jobs that have ended are kept for their logs.
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
{indent(_job(job, image), " " * 6)}"""


def _once(job: Job, image: str) -> str:
    name = label(job.name)
    return f"""\
# To start it again, or after a change of it: kubectl delete job {name}, then kubectl apply again.
apiVersion: batch/v1
kind: Job
metadata:
{_metadata(job)}\
spec:
{indent(_job(job, image), " " * 2)}"""


def _metadata(job: Job) -> str:
    return f"""\
  name: {_quoted(label(job.name))}
{indent(_labels(job), " " * 2)}"""


def _labels(job: Job) -> str:
    return f"""\
labels:
  app.kubernetes.io/name: archsearch
  app.kubernetes.io/instance: {_quoted(label(job.name))}
"""


def _job(job: Job, image: str) -> str:
    refused, failed = f"{ExitCode.REFUSED:d}", f"{ExitCode.ALL_FAILED:d}"
    return f"""\
{end_lines(job)}\
# Tries of what no rule below is about, one later than the other: a lost node, a Pod that ran out of memory,
# exit code {ExitCode.LOCKED:d}, since a Pod that was lost holds its search for another minute, and whoever
# else uses the GPU may leave it.
backoffLimit: 6
# The next Pod comes when the last one is gone: else two would want the same search.
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    # {refused}: refused, as it would be again. {failed}: every training fails. Somebody has to look.
    - action: FailJob
      onExitCodes:
        containerName: search
        operator: In
        values: [{refused}, {failed}]
    # Interrupted, with everything saved: another Pod goes on, however often.
    - action: Ignore
      onExitCodes:
        containerName: search
        operator: In
        values: [{ExitCode.INTERRUPTED:d}]
    # Evicted, preempted, drained: likewise, also where the Pod was killed before it could say so.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
template:
  metadata:
{indent(_labels(job), " " * 4)}\
  spec:
{indent(_pod(job, image), " " * 4)}"""


def _pod(job: Job, image: str) -> str:
    return f"""\
# A restart inside the Pod would hide the exit code from the rules.
restartPolicy: Never
# Within 5 seconds the search has stopped, and everything is saved.
terminationGracePeriodSeconds: 30
# The search asks nothing of Kubernetes.
automountServiceAccountToken: false
{_tolerations(job)}\
securityContext:
  runAsNonRoot: true
  # The image's user; any other will do.
  runAsUser: 10001
  runAsGroup: 10001
  # Makes the claim this group's: all its files at the first start, and not again at each.
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: search
    image: {_quoted(image)}
    workingDir: {WORK}
    command:
      - /bin/sh
      - -c
      # A folder for this search, where its data can lie. exec: only the first process is told to stop.
      - {_quoted(_start(job))}
      - sh
    args:
{_listed(_words(job), " " * 6)}\
    env:
      # Nothing but {WORK} and /tmp can be written.
      - name: HOME
        value: /tmp
      # Data sets that were downloaded, and images that were decoded, are there at the next start, too.
      - name: KERAS_HOME
        value: {WORK}/cache/keras
      - name: XDG_CACHE_HOME
        value: {WORK}/cache
    resources:
{indent(_resources(job), " " * 6)}\
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
{indent("".join(mount for mount, _ in _volumes(job)), " " * 6)}\
volumes:
{indent("".join(volume for _, volume in _volumes(job)), " " * 2)}"""


def _tolerations(job: Job) -> str:
    if not needs_of([job]).gpus:
        return ""
    return """\
# Nodes with GPUs are often kept for Pods that want one.
tolerations:
  - key: nvidia.com/gpu
    operator: Exists
    effect: NoSchedule
"""


def _start(job: Job) -> str:
    folder = label(job.name)
    # The file's name may be that of the search; what it names lies beside it.
    copied = " && cp /space/* ." if _has_file(job) else ""
    return f'mkdir -p {folder} && cd {folder}{copied} && exec archsearch "$@"'


def _words(job: Job) -> tuple[str, ...]:
    until = job.until
    if until is not None and read(until).zone is None:  # that of the container is not known here
        until = f"{until} UTC"
    return replace(job, space=Path(job.space).name, store=WORK / "mlruns", until=until).words


def _resources(job: Job) -> str:
    needs = needs_of([job])
    gpus = f"  nvidia.com/gpu: {needs.gpus}\n" if needs.gpus else "  # No GPU is asked for.\n"
    return f"""\
requests:
  cpu: {needs.cores}
  memory: {needs.gib}Gi
# A core for the search and one for each training at a time: --workers, --gpus, else the space's `execution`,
# as it was when this was printed. By these limits the search knows how many cores and how much memory it
# has. Large data need more.
limits:
  cpu: {needs.cores}
  memory: {needs.gib}Gi
{gpus}"""


def _volumes(job: Job) -> tuple[tuple[str, str], ...]:
    """Each volume as the container mounts it, and as what it is."""
    work = (
        f"- name: work\n  mountPath: {WORK}\n",
        "- name: work\n  persistentVolumeClaim:\n    claimName: archsearch\n",
    )
    tmp = "- name: tmp\n  mountPath: /tmp\n", "- name: tmp\n  emptyDir: {}\n"
    if not _has_file(job):
        return work, tmp
    space = (
        "- name: space\n  mountPath: /space\n  readOnly: true\n",
        f"- name: space\n  configMap:\n    name: {_quoted(label(job.name))}\n    items:\n"
        f"      - key: space.yaml\n        path: {_quoted(Path(job.space).name)}\n",
    )
    return work, tmp, space


def _has_file(job: Job) -> bool:
    """Whether its space is no bundled one."""
    return Path(job.space).is_absolute()


def _listed(words: Iterable[str], margin: str) -> str:
    return "".join(f"{margin}- {_quoted(word)}\n" for word in words)


def _quoted(text: str) -> str:
    """A string of YAML, of which those of JSON are a part."""
    return json.dumps(text, ensure_ascii=False)


def _block(text: str, margin: str) -> str:
    """A text as it stands, line by line: its own indentation and line breaks at its end are kept."""
    lines = "".join(margin + line if line.strip("\n") else line for line in text.splitlines(keepends=True))
    return f"|2+\n{lines}" if text.endswith("\n") else f"|2-\n{lines}\n"
