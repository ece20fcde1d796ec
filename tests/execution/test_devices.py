"""Which GPUs workers may use, and how the machine is shared out between them."""

import os
import re
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.errors import GpusBusy, Refused
from archsearch.execution import machine
from archsearch.execution.devices import Gpu, visible_fault, visible_gpus
from archsearch.execution.slots import gpus_of, slots_for, workers_of
from archsearch.space.execution_words import Execution

UUIDS = ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-5da94ea0-53f6-0fcd-2d2e-3f6a4d0f3f0a")
PARTS = ("MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d")
TWO = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[0]})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[1]})
"""
DIVIDED = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[0]})
  MIG 3g.20gb     Device  0: (UUID: {PARTS[0]})
  MIG 1c.3g.20gb  Device  1: (UUID: {PARTS[1]})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {UUIDS[1]})
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A machine whose ``nvidia-smi`` lists what it is called with; None for a machine without one.

    `memory` is what is free of each GPU, or of those that it names, `total` all of each; in MiB.
    """

    def lists(text, memory="40960", total="40960"):
        path = tmp_path / "nvidia-smi"
        path.unlink(missing_ok=True)
        if text is not None:
            sizes = memory if isinstance(memory, dict) else {"*": memory}
            cases = "".join(f"--id={name}) echo '{size}';;\n" for name, size in sizes.items())
            listing = f"cat <<'END'\n{text}END\n"
            path.write_text(
                f'#!/bin/sh\nif [ "$1" = -L ]; then {listing}'
                f"elif [ \"$2\" = --query-gpu=memory.total ]; then echo '{total}'\n"
                f'else case "$1" in\n{cases}esac\nfi\n'
            )
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return lists


def test_without_nvidia_smi_and_without_a_word_there_is_no_gpu(nvidia_smi):
    nvidia_smi(None)
    assert visible_gpus() == ()


def test_an_nvidia_smi_that_fails_lists_no_gpu(nvidia_smi, tmp_path):
    nvidia_smi(TWO)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert visible_gpus() == ()


def test_what_nvidia_smi_lists_can_be_used_by_its_uuid(nvidia_smi):
    nvidia_smi(TWO)
    assert visible_gpus() == (Gpu(UUIDS[0], "GPU 0"), Gpu(UUIDS[1], "GPU 1"))


def test_of_a_divided_gpu_the_parts_can_be_used(nvidia_smi):
    nvidia_smi(DIVIDED)
    assert visible_gpus() == (
        Gpu(PARTS[0], "GPU 0 MIG 0"),
        Gpu(PARTS[1], "GPU 0 MIG 1"),
        Gpu(UUIDS[1], "GPU 1"),
    )


@pytest.mark.parametrize("listed", [TWO, None], ids=["listed", "not listed"])
@pytest.mark.parametrize(
    ("chosen", "entries"),
    [
        ("", []),
        ("-1", []),
        ("none", []),
        ("NoDevFiles", []),
        ("0", ["0"]),
        (" 1 , 0 ", ["1", "0"]),
        ("0,-1,1", ["0"]),
        ("0,x,1", ["0"]),
        ("0,,1", ["0"]),
        ("-1,0", []),
        ("0,0", []),
        ("1.5", []),
        (UUIDS[1], [UUIDS[1]]),
        ("GPU-5da9,0", ["GPU-5da9", "0"]),
        ("GPU-,0", []),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(nvidia_smi, monkeypatch, listed, chosen, entries):
    nvidia_smi(listed)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [gpu.entry for gpu in visible_gpus()] == entries


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("2,0", []),
        ("1,2,0", ["GPU 1"]),
        ("GPU-8932f937", ["GPU 0"]),
        ("GPU-0000", []),
        (PARTS[1], ["GPU 0 MIG 1"]),
        (f"{PARTS[1]},{PARTS[0]}", ["GPU 0 MIG 1", "GPU 0 MIG 0"]),
        ("MIG-c738", []),  # only whole GPUs may be shortened
    ],
)
def test_what_is_not_there_does_not_count_nor_what_follows_it(nvidia_smi, monkeypatch, chosen, names):
    nvidia_smi(DIVIDED)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [gpu.name for gpu in visible_gpus()] == names


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["0", "1", "2", "-1", "", "x", *UUIDS, *PARTS, "GPU-"]), max_size=5))
def test_no_worker_sees_more_than_what_was_visible_before(entries):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CUDA_VISIBLE_DEVICES", ",".join(entries))
        patched.setenv("PATH", "")
        slots = slots_for(Execution(workers_per_gpu=2))
    seen = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots]
    assert set(seen) <= {*entries, "-1"}
    assert all(
        entry == (slot.gpu.entry if slot.gpu else "-1") for slot, entry in zip(slots, seen, strict=True)
    )


def test_each_gpu_has_its_workers_and_each_worker_sees_one_gpu(nvidia_smi):
    nvidia_smi(TWO)
    slots = slots_for(Execution(workers_per_gpu=2))
    assert [slot.name for slot in slots] == [
        "worker 0 on GPU 0",
        "worker 1 on GPU 1",
        "worker 2 on GPU 0",
        "worker 3 on GPU 1",
    ]
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [*UUIDS, *UUIDS]
    assert {slot.environment["TF_FORCE_GPU_ALLOW_GROWTH"] for slot in slots} == {"true"}
    assert {slot.environment["XLA_PYTHON_CLIENT_PREALLOCATE"] for slot in slots} == {"false"}


def test_a_number_of_workers_is_dealt_out_over_the_gpus(nvidia_smi):
    nvidia_smi(TWO)
    assert [slot.name for slot in slots_for(Execution(workers=3, gpus=1))] == [
        "worker 0 on GPU 0",
        "worker 1 on GPU 0",
        "worker 2 on GPU 0",
    ]
    assert [slot.gpu.name for slot in slots_for(Execution(workers=1))] == ["GPU 0"]


def test_no_gpus_hides_those_that_there_are(nvidia_smi):
    nvidia_smi(TWO)
    (slot,) = slots_for(Execution(workers=1, gpus=0))
    assert (slot.name, slot.gpu, slot.environment["CUDA_VISIBLE_DEVICES"]) == ("worker 0", None, "-1")


def test_more_gpus_than_there_are_are_refused_with_what_was_found(nvidia_smi, monkeypatch):
    nvidia_smi(TWO)
    with pytest.raises(Refused, match=r"execution\.gpus is 3; found here: GPU 0, GPU 1; ask for fewer"):
        slots_for(Execution(gpus=3))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(Refused, match=r"gpus is 2; found here with CUDA_VISIBLE_DEVICES=1: GPU 1;"):
        workers_of(Execution(gpus=2))
    nvidia_smi(None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(Refused, match=r"execution\.gpus is 1; found here: none"):
        slots_for(Execution(gpus=1))
    with pytest.raises(Refused, match=r"^--gpus is 1; found here: none"):
        slots_for(Execution(gpus=1), gpus_word="--gpus")


FREE = {UUIDS[0]: "4000", UUIDS[1]: "30000", "0": "4000", "1": "30000"}
THREE = TWO + "GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-2)\n"


def names(slots):
    return [slot.gpu.name for slot in slots]


def test_only_gpus_with_enough_free_memory_are_used_and_those_with_most_first(nvidia_smi, monkeypatch):
    nvidia_smi(THREE, FREE | {"GPU-2": "10000"})
    assert names(slots_for(Execution(), 4 * 10**9)) == ["GPU 1", "GPU 2", "GPU 0"]
    assert names(slots_for(Execution(), 5 * 10**9)) == ["GPU 1", "GPU 2"]
    assert names(slots_for(Execution(gpus=1), 4 * 10**9)) == ["GPU 1"]
    assert names(slots_for(Execution(gpus=2), 4 * 10**9)) == ["GPU 1", "GPU 2"]
    assert names(slots_for(Execution(gpus=2))) == ["GPU 0", "GPU 1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    nvidia_smi(THREE, FREE | {"2": "10000"})
    (slot,) = slots_for(Execution(gpus=1), 4 * 10**9)
    assert (slot.gpu.name, slot.environment["CUDA_VISIBLE_DEVICES"]) == ("GPU 2", "2")


@pytest.mark.parametrize(
    ("gpus", "least", "told"),
    [
        (
            "all",
            40,
            r"40 GB: no GPU has so much free; found here: GPU 0 4\.2 GB of 42\.9 GB, "
            r"GPU 1 31\.5 GB of 42\.9 GB; come again when",
        ),
        (1, 40, "40 GB: no GPU has so much free"),
        (2, 8, "8 GB: only 1 of the 2 GPUs asked for have so much free; found here: GPU 0 4"),
    ],
)
def test_where_others_use_too_much_of_the_gpus_another_start_may_find_them_free(
    nvidia_smi, gpus, least, told
):
    nvidia_smi(TWO, FREE)
    with pytest.raises(GpusBusy, match=f"--min-free-gpu-memory {told}") as busy:
        slots_for(Execution(gpus=gpus), least * 10**9)
    assert busy.value.exit_code == 99


@pytest.mark.parametrize(
    ("gpus", "least", "told"),
    [
        (
            "all",
            44,
            r"44 GB: no GPU has so much free; .* GPU 0 4\.2 GB of 42\.9 GB, .* of 42\.9 GB; ask for less$",
        ),
        (3, 8, "8 GB: only 1 of the 3 GPUs asked for have so much free; .*; ask for less$"),
    ],
)
def test_more_free_memory_than_there_will_ever_be_is_refused(nvidia_smi, gpus, least, told):
    nvidia_smi(TWO, FREE)
    with pytest.raises(Refused, match=f"--min-free-gpu-memory {told}"):
        slots_for(Execution(gpus=gpus), least * 10**9)


def test_free_memory_that_nvidia_smi_does_not_say_is_not_taken_for_enough(nvidia_smi, monkeypatch):
    nvidia_smi(TWO, FREE | {UUIDS[1]: "[N/A]"}, total="[N/A]")
    with pytest.raises(Refused, match=r"GPU 0 4\.2 GB, GPU 1 \(nvidia-smi does not say\)"):
        slots_for(Execution(), 8 * 10**9)
    nvidia_smi(None)
    with pytest.raises(Refused, match="found here: none"):
        slots_for(Execution(), 10**9)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(
        Refused, match=r"found here with CUDA_VISIBLE_DEVICES=0: GPU 0 \(nvidia-smi does not say\)"
    ):
        slots_for(Execution(), 10**9)
    nvidia_smi(TWO, "[N/A]")
    with pytest.raises(Refused, match=r"GPU 0 \(nvidia-smi does not say\)"):
        slots_for(Execution(), 10**9)


@pytest.mark.parametrize(
    ("chosen", "fault"),
    [
        ("0,7,1", "CUDA_VISIBLE_DEVICES=0,7,1: there is no GPU 7, .*; there are: GPU 0, GPU 1"),
        ("GPU-0000", "there is no GPU GPU-0000"),
        ("1,1", "names something twice"),
        ("1,0", None),
        ("", None),
        ("-1", None),
        ("0,-1,1", None),
        ("none", None),
        ("NoDevFiles", None),
        (None, None),
    ],
)
def test_a_gpu_that_is_not_there_is_told_of_and_the_words_for_none_are_not(
    nvidia_smi, monkeypatch, chosen, fault
):
    nvidia_smi(TWO)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    told = visible_fault()
    assert told is None if fault is None else re.search(fault, told)


def test_a_number_of_gpus_is_refused_with_the_index_that_is_not_there(nvidia_smi, monkeypatch):
    nvidia_smi(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    told = (
        r"execution\.gpus is 2; CUDA_VISIBLE_DEVICES=0,7: there is no GPU 7, .*; usable: GPU 0; ask for fewer"
    )
    with pytest.raises(Refused, match=told):
        slots_for(Execution(gpus=2))


def test_how_many_gpus_are_used_is_known_without_asking_for_them(nvidia_smi):
    nvidia_smi(TWO)
    wishes = [Execution(), Execution(gpus=1), Execution(gpus=7), Execution(gpus=0), Execution(workers=0)]
    assert [gpus_of(wish) for wish in wishes] == [2, 1, 2, 0, 0]


def test_jax_is_told_the_cap_on_gpu_memory_as_a_share_of_it(nvidia_smi, monkeypatch):
    nvidia_smi(TWO)
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in slots_for(Execution(gpu_memory=10))[0].environment
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert slots_for(Execution(gpu_memory=10))[0].environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.2500"
    nvidia_smi(TWO, total="[N/A]")
    with pytest.raises(Refused, match=r"execution\.gpu_memory can't be kept to with JAX on GPU 0"):
        slots_for(Execution(gpu_memory=10))


def test_without_gpus_workers_share_the_cores_and_the_memory(nvidia_smi, monkeypatch):
    nvidia_smi(None)
    monkeypatch.setattr("archsearch.execution.slots.free_memory", lambda: 4 * 2**30)
    cores = machine.cores()
    slots = slots_for(Execution())
    assert len(slots) == workers_of(Execution()) == min(cores, 2)
    assert workers_of(Execution(memory=2)) == 1
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"):
        assert slots[0].environment[variable] == str(cores // len(slots))


def test_the_searchs_own_process_is_no_slot(nvidia_smi):
    nvidia_smi(TWO)
    assert slots_for(Execution(workers=0)) == ()
    assert workers_of(Execution(workers=0)) == 1
