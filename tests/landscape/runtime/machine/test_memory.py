"""The memory that a process can take, with and without a control group's limit."""

import os

import pytest

from landscape.runtime.machine.memory import available_memory

FREE = 8_000_000


@pytest.fixture
def system(tmp_path):
    """A system that reports 8 GB of free memory, and a process in a control group."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {FREE} kB\n")

    def write(line, folder, **files):
        (tmp_path / "proc" / "self" / "cgroup").write_text(f"1:cpu:/other\n{line}\n")
        group = tmp_path / "groups" / folder
        group.mkdir(parents=True)
        for name, content in files.items():
            (group / name.replace("__", ".")).write_text(f"{content}\n")
        return available_memory(tmp_path / "proc", tmp_path / "groups")

    return write


def test_version_2(system):
    files = {"memory__max": 5000, "memory__current": 3000, "memory__stat": "inactive_file 700"}
    assert system("0::/a/b", "a/b", **files) == 5000 - 3000 + 700


def test_version_1_and_the_limit_of_a_group_above(system):
    files = {"memory__limit_in_bytes": 5000, "memory__usage_in_bytes": 3000}
    left = system(
        "4:memory,hugetlb:/a/b", "memory/a", **files, memory__stat="total_inactive_file 1"
    )
    assert left == 2001


def test_a_group_over_its_limit(system):
    files = {"memory__max": 5000, "memory__current": 6000, "memory__stat": "inactive_file 0"}
    assert system("0::/", "", **files) == 0


def test_no_limit(system):
    files = {"memory__max": "max", "memory__current": 3000, "memory__stat": "inactive_file 0"}
    assert system("0::/a", "a", **files) == FREE * 1024


def test_a_system_that_reports_nothing(tmp_path):
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory(tmp_path, tmp_path) == total // 8
