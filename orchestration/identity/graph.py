"""The evidence inside one customer as a graph: its strongest spanning tree, and paths in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

MUST, PROBABLE = "must", "probabilistic"
# What is only probable comes after every identifier.
PROBABLE_PRIORITY = 900


@dataclass(frozen=True)
class Evidence:
    """What one source says about a pair, by one rule; `reason` is why it joins nobody."""

    source_system: str
    rule: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    record_count: int
    reason: str | None = None


@dataclass(frozen=True)
class Link:
    """Two nodes and all the evidence that ties them; `priority` is the weaker end's."""

    node_a: int
    node_b: int
    priority: int
    evidence: tuple[Evidence, ...]

    @property
    def record_count(self) -> int:
        return sum(item.record_count for item in self.evidence)

    @property
    def rank(self) -> tuple[bool, int, int, int, int]:
        """Sorts the strongest link first, as the guards do when they have to choose."""
        is_must = any(item.rule == MUST for item in self.evidence)
        is_only_probable = all(item.rule == PROBABLE for item in self.evidence)
        priority = PROBABLE_PRIORITY if is_only_probable else self.priority
        return (not is_must, priority, -self.record_count, self.node_a, self.node_b)


def strongest_tree(links: Iterable[Link]) -> list[Link]:
    """The spanning forest whose every path has the strongest weakest link (Kruskal)."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    tree = []
    for link in sorted(links, key=lambda link: link.rank):
        left, right = root(link.node_a), root(link.node_b)
        if left != right:
            parent[left] = right
            tree.append(link)
    return tree


def path_between(tree: Iterable[Link], start: int, end: int) -> list[Link] | None:
    """The links from `start` to `end` in order, None where they are not connected."""
    at: dict[int, list[Link]] = {}
    for link in tree:
        at.setdefault(link.node_a, []).append(link)
        at.setdefault(link.node_b, []).append(link)
    reached: dict[int, Link | None] = {start: None}
    waiting = deque([start])
    while waiting and end not in reached:
        node = waiting.popleft()
        for link in at.get(node, []):
            other = link.node_b if link.node_a == node else link.node_a
            if other not in reached:
                reached[other] = link
                waiting.append(other)
    if end not in reached:
        return None
    path = []
    while (link := reached[end]) is not None:
        path.append(link)
        end = link.node_b if link.node_a == end else link.node_a
    return path[::-1]
