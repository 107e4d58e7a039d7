"""Two publishers of the same joints: found by their ids, or, without, by their message numbers."""

from __future__ import annotations

import pytest

from kinfer_ros.contract.second_publisher import WINDOW_NS
from kinfer_ros.contract.second_publisher import JointSenders
from kinfer_ros.contract.second_publisher import describe_conflict

ARM, LEG = ['shoulder', 'elbow'], ['hip', 'knee']
MS = 1_000_000


class Graph:
    """Publishers that send in turns, each with its own message numbers."""

    def __init__(self, *, ids: bool) -> None:
        self.senders = JointSenders(ARM + LEG)
        self.now = 0
        self._ids = ids
        self._numbers: dict[str, int] = {}

    def send(self, who: str, names: list[str], first: int = 1) -> None:
        """One message, 10 ms after the last."""
        self.now += 10 * MS
        number = self._numbers[who] = self._numbers.get(who, first - 1) + 1
        publisher = who.encode() if self._ids else None
        self.senders.on_message(publisher, names, number, self.now)

    @property
    def conflict(self) -> list[str]:
        return self.senders.conflict(self.now)


@pytest.fixture(params=[True, False], ids=['ids', 'numbers'])
def graph(request: pytest.FixtureRequest) -> Graph:
    """With publisher ids as on Kilted, and without as on Jazzy."""
    return Graph(ids=request.param)


def test_the_same_joints_from_two(graph: Graph) -> None:
    """A driver and a joint_state_publisher that was started by mistake."""
    for _ in range(5):
        graph.send('driver', ARM + LEG, first=1000)
        graph.send('joint_state_publisher', ARM + LEG)
    assert graph.conflict == sorted(ARM + LEG)


def test_some_of_the_same_joints_from_two(graph: Graph) -> None:
    """Only those in common are a conflict."""
    for _ in range(5):
        graph.send('driver', ARM + LEG)
        graph.send('arm', [*ARM, 'finger'])
    assert graph.conflict == sorted(ARM)


def test_a_list_that_changes_now_and_then_is_no_second_publisher(graph: Graph) -> None:
    """A driver that is split into two, put together, and split again, some seconds between."""
    for _ in range(4):
        for _ in range(5):
            graph.send('driver', ARM + LEG)
        graph.now += WINDOW_NS
        for _ in range(5):
            graph.send('driver', ARM)
            graph.send('legs', LEG)
        graph.now += WINDOW_NS
        assert graph.conflict == []


def test_a_slower_second_publisher(graph: Graph) -> None:
    """Ten messages of the driver for one of the other."""
    for i in range(60):
        graph.send('driver', ARM + LEG, first=1000)
        if i % 10 == 0:
            graph.send('other', ARM + LEG)
    assert graph.conflict == sorted(ARM + LEG)


def test_one_driver_a_limb_is_no_conflict(graph: Graph) -> None:
    """Each has its own joints; and a gripper has none of the robot's."""
    for _ in range(20):
        graph.send('arm', ARM)
        graph.send('leg', LEG)
        graph.send('gripper', ['finger'])
    assert graph.conflict == []


def test_a_driver_that_restarts_is_no_conflict(graph: Graph) -> None:
    """Its new messages begin at 1, and none of the old ones comes any more."""
    for _ in range(20):
        graph.send('driver', ARM + LEG, first=1000)
    graph._numbers.clear()
    for _ in range(20):
        graph.send('driver' if not graph._ids else 'driver again', ARM + LEG)
    assert graph.conflict == []


def test_a_conflict_ends_when_one_of_them_ends(graph: Graph) -> None:
    """Whoever stops the second publisher can activate."""
    for _ in range(5):
        graph.send('driver', ARM + LEG, first=1000)
        graph.send('other', ARM + LEG)
    assert graph.conflict
    for _ in range(round(WINDOW_NS / (10 * MS)) + 2):
        graph.send('driver', ARM + LEG)
    assert graph.conflict == []


def test_the_text_names_the_nodes() -> None:
    """Somebody has to find and end one of them."""
    text = describe_conflict('/joint_states', ['a', 'b', 'c', 'd'], ['/driver', '/other'])
    assert '(a, b, c and 1 more): /driver, /other' in text
