"""The documents for Kubernetes: valid by its API's schemas; what they say about failures, users and disks."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from archsearch.errors import Refused
from archsearch.schedule import Job, kubernetes

# The first one in which pod failure policies are stable, and the last one that the validator has.
VERSIONS = "1.31", kubernetes_validate.latest_version()

SPACE = "# Digits\nname: digits\ndata: digits\nfamilies:\n  dense: {depth: 1}\n"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "digits.yaml").write_text(SPACE)
    return Job(
        "nightly",
        str(tmp_path / "digits.yaml"),
        tmp_path,
        tmp_path / "mlruns",
        at="0 2 * * *",
        hours=6,
        gpus=1,
    )


def documents(*jobs: Job) -> list[Any]:
    (file,) = kubernetes.render(jobs, "registry.example.com/archsearch:gpu")
    return list(yaml.safe_load_all(file.text))


def named(kind: str, *jobs: Job) -> Any:
    (found,) = (document for document in documents(*jobs) if document["kind"] == kind)
    return found


def job_spec(job: Job) -> Any:
    return named("CronJob", job)["spec"]["jobTemplate"]["spec"]


def pod(job: Job) -> Any:
    return job_spec(job)["template"]["spec"]


def container(job: Job) -> Any:
    (only,) = pod(job)["containers"]
    return only


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_by_the_schemas_of_the_api(job: Job, version: str) -> None:
    once = Job("By-hand", "digits", job.folder, job.store, workers=4)
    bounded = replace(once, name="bounded", at="0 22 * * *", until="06:00 Europe/Berlin")
    kinds = []
    for document in documents(job, once, bounded):
        kubernetes_validate.validate(document, version, strict=True)
        kinds.append(document["kind"])
    assert kinds == ["PersistentVolumeClaim", "ConfigMap", "CronJob", "Job", "CronJob"]


def test_the_documents_of_the_page_are_valid_and_use_the_claim(job: Job) -> None:
    page = (Path(__file__).parents[2] / "docs" / "kubernetes.md").read_text()
    (text,) = re.findall(r"^```yml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = yaml.safe_load(text)
    kubernetes_validate.validate(shown, "1.31", strict=True)
    claim = shown["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == named("PersistentVolumeClaim", job)["metadata"]["name"]


def test_the_validator_sees_a_word_that_does_not_exist(job: Job) -> None:
    document = named("CronJob", job)
    document["spec"]["jobTemplate"]["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_what_was_refused_is_never_tried_again_and_what_was_interrupted_always(job: Job) -> None:
    rules = job_spec(job)["podFailurePolicy"]["rules"]
    by_code = {
        code: rule["action"] for rule in rules for code in rule.get("onExitCodes", {"values": []})["values"]
    }
    assert by_code == {2: "FailJob", 4: "FailJob", 75: "Ignore"}
    assert {rule["onExitCodes"]["containerName"] for rule in rules if "onExitCodes" in rule} == {"search"}
    assert container(job)["name"] == "search"
    assert {
        "action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    } in rules  # fmt: skip
    assert pod(job)["restartPolicy"] == "Never"  # the API takes a policy with no other


def test_two_pods_are_never_at_one_search(job: Job) -> None:
    assert named("CronJob", job)["spec"]["concurrencyPolicy"] == "Forbid"
    assert job_spec(job)["podReplacementPolicy"] == "Failed"


def test_missed_starts_do_not_add_up_and_ended_jobs_do_not_pile_up(job: Job) -> None:
    spec = named("CronJob", job)["spec"]
    assert spec["schedule"] == "0 2 * * *"
    assert spec["startingDeadlineSeconds"] == 3600
    assert spec["successfulJobsHistoryLimit"] == spec["failedJobsHistoryLimit"] == 3


def test_the_search_is_not_root_and_can_write_only_to_its_claim_and_tmp(job: Job) -> None:
    assert pod(job)["securityContext"]["runAsNonRoot"] is True
    assert pod(job)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(job)["automountServiceAccountToken"] is False
    assert container(job)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    places = {place["mountPath"] for place in container(job)["volumeMounts"] if not place.get("readOnly")}
    assert places == {"/work", "/tmp"}
    words = container(job)["args"]
    assert words[words.index("--store") + 1].startswith("/work/")
    assert all(variable["value"].startswith(tuple(places)) for variable in container(job)["env"])


def test_the_search_has_the_gpus_cores_and_memory_that_it_counts_on(job: Job) -> None:
    resources = container(job)["resources"]
    assert resources["limits"] == {"cpu": 2, "memory": "5Gi", "nvidia.com/gpu": 1}
    assert resources["requests"] == {"cpu": 2, "memory": "5Gi"}
    assert pod(job)["tolerations"][0]["key"] == "nvidia.com/gpu"
    on_cpus = Job("a", "digits", job.folder, job.store, at="0 2 * * *", workers=4)
    assert container(on_cpus)["resources"]["limits"] == {"cpu": 5, "memory": "10Gi"}
    assert "tolerations" not in pod(on_cpus)


def test_a_search_with_hours_is_ended_should_it_not_end_by_itself(job: Job) -> None:
    assert job_spec(job)["activeDeadlineSeconds"] == 7 * 3600
    assert pod(job)["terminationGracePeriodSeconds"] == 30
    assert "activeDeadlineSeconds" not in job_spec(Job("a", "digits", job.folder, job.store, at="0 2 * * *"))


@pytest.mark.parametrize(
    ("at", "until", "zone", "hours"),
    [
        ("0 2 * * *", "06:00", "Etc/UTC", 4),
        ("30 22 * * 1-5", "6:00 Europe/Berlin", "Europe/Berlin", 7.5),
        ("0 22 * * *", "06:00+01:00", "Etc/UTC", 7),
        ("0 6 * * *", "06:00", "Etc/UTC", 24),
        ("0 22 1,15 * *", "06:00:30 UTC", "UTC", 8 + 30 / 3600),
    ],
)
def test_a_search_with_until_is_ended_soon_after_that_time_should_its_pod_come_late(
    job: Job, at: str, until: str, zone: str, hours: float
) -> None:
    night = replace(job, at=at, until=until, hours=None)
    spec = named("CronJob", night)["spec"]
    assert spec["timeZone"] == zone
    assert spec["startingDeadlineSeconds"] == 600, "it moves the deadline, which counts from the start"
    assert job_spec(night)["activeDeadlineSeconds"] == hours * 3600 + 900


def test_of_two_deadlines_the_first_one_ends_a_search(job: Job) -> None:
    assert job_spec(replace(job, until="06:00", hours=6))["activeDeadlineSeconds"] == 4.25 * 3600
    assert job_spec(replace(job, until="06:00", hours=2))["activeDeadlineSeconds"] == 3 * 3600


def test_a_time_of_day_alone_ends_no_search_whose_start_is_not_known(job: Job) -> None:
    often = replace(job, at="0 */6 * * *", until="06:00", hours=None)
    with pytest.raises(Refused, match=r"job nightly: .* differs between the starts .*; give --hours, too"):
        documents(often)
    assert job_spec(replace(often, hours=2))["activeDeadlineSeconds"] == 3 * 3600
    once = replace(often, at=None)
    with pytest.raises(Refused, match="give --hours, too, or the day: --until '2026-12-01 06:00'"):
        documents(once)
    dated = named("Job", replace(once, until="2999-12-01 06:00"))
    assert "activeDeadlineSeconds" not in dated["spec"], "a Pod that comes later is refused"


def test_a_time_without_a_zone_is_one_of_utc_whatever_the_container_has(job: Job) -> None:
    for until, said in (("06:00", "06:00 UTC"), ("06:00 Europe/Berlin",) * 2, ("06:00+01:00",) * 2):
        words = container(replace(job, until=until))["args"]
        assert words[words.index("--until") + 1] == said


def test_every_job_keeps_its_results_in_the_one_store(job: Job) -> None:
    other = Job("other", "digits", job.folder, Path("/somewhere/else"), at="0 3 * * *")
    claim = named("PersistentVolumeClaim", job)
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    for each in (job, other):
        volumes = {volume["name"]: volume for volume in pod(each)["volumes"]}
        assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        words = container(each)["args"]
        assert words[words.index("--store") + 1] == "/work/mlruns"


@pytest.mark.parametrize(
    "text",
    [
        SPACE,
        SPACE.rstrip(),
        SPACE + "\n\n",
        "  # indented\nname: ü\n\n---\n",
        '{"name": "x"}',
        "",
        "\n",
        " \n  a\n",
    ],
)
def test_the_space_arrives_as_it_is(job: Job, text: str) -> None:
    Path(job.space).write_text(text)
    assert named("ConfigMap", job)["data"] == {"space.yaml": text}


def test_the_search_starts_beside_its_space_in_a_folder_of_its_own(job: Job, tmp_path: Path) -> None:
    """The command of the container, with what it is given in other places."""
    for folder in ("bin", "space", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin" / "archsearch").write_text('#!/bin/sh\npwd\ncat "$2"\nprintf "%s\\n" "$@"\n')
    (tmp_path / "bin" / "archsearch").chmod(0o755)
    (tmp_path / "space" / "digits.yaml").write_text(SPACE)
    words = [word.replace("/space/", f"{tmp_path}/space/") for word in container(job)["command"]]
    done = subprocess.run(
        [*words, *container(job)["args"]],
        cwd=tmp_path / "work",
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [str(tmp_path / "work" / "nightly"), *SPACE.splitlines(), *container(job)["args"]]
    assert done.stdout.splitlines() == expected
    assert expected[-1] == "--json"
    (volume,) = (volume for volume in pod(job)["volumes"] if volume["name"] == "space")
    assert volume["configMap"]["items"] == [{"key": "space.yaml", "path": "digits.yaml"}]


def test_a_bundled_space_needs_no_file(job: Job) -> None:
    bundled = Job("a", "digits", job.folder, job.store, at="0 2 * * *")
    assert [document["kind"] for document in documents(bundled)] == ["PersistentVolumeClaim", "CronJob"]
    assert container(bundled)["args"][:2] == ["run", "digits"]


def test_every_job_has_a_name_that_kubernetes_takes_and_no_other_job_has() -> None:
    names = ["nightly", "Nightly", "NIGHTLY", "night-ly", "n" * 62, "n" * 63, "n" * 43 + "-" + "n" * 10, "0"]
    labels = [kubernetes.label(name) for name in names]
    assert len(set(labels)) == len(names)
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", label) for label in labels)
    assert kubernetes.label("nightly-2") == "nightly-2"


def test_a_space_that_is_no_text_is_refused(job: Job) -> None:
    Path(job.space).write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match=r"digits\.yaml: no text in UTF-8"):
        documents(job)
