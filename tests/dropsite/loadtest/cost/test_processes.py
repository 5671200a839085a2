import os

from dropsite.loadtest.cost import processes
from dropsite.loadtest.cost.processes import Process


def make_process(pid: int, parent: int) -> Process:
    return Process(pid, parent, own_seconds=1.0, ended_children_seconds=0.5)


def test_process_tree_starts_with_the_root_and_has_all_descendants() -> None:
    running = {pid: make_process(pid, parent) for pid, parent in {1: 0, 2: 1, 3: 2, 4: 1, 5: 9}.items()}

    tree = processes.process_tree(2, running)

    assert [process.pid for process in tree] == [2, 3]
    assert {process.pid for process in processes.process_tree(1, running)} == {1, 2, 3, 4}


def test_process_tree_is_empty_for_a_process_that_has_ended() -> None:
    assert processes.process_tree(7, {1: make_process(1, 0)}) == []


def test_running_processes_include_this_one() -> None:
    found = processes.running_processes()[os.getpid()]

    assert found.parent == os.getppid()
    assert found.own_seconds > 0


def test_read_memory_is_positive_for_this_process() -> None:
    assert processes.read_memory_mib(os.getpid()) > 1


def test_read_memory_is_zero_for_an_unknown_process() -> None:
    assert processes.read_memory_mib(2**30) == 0
