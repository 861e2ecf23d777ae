"""Was a history linearizable? Two checkers, both exact, and tests of the checkers themselves.

An operation has a begin and an end (any clock that all clients share). A history is linearizable when each operation can be
given one moment between its begin and its end, so that all of them, done one after the other in the order of those moments,
give the answers that were seen (Herlihy and Wing, 1990).

  register_fault   writes of different values and reads, thousands of them: Gibbons and Korach, "Testing shared memories"
                   (1997). With a value's write and reads as one cluster, it is enough to look at pairs of clusters
  search_fault     any sequential model, some dozens of operations: Wing and Gong's search (1993), with Lowe's memory of what
                   was tried already
"""
from collections import namedtuple

# end is NEVER for a write of which nobody knows whether it was done.
Operation = namedtuple("Operation", "begin end kind key value")
NEVER = float("inf")


def register_fault(writes, reads):
    """writes: {value: (begin, end)}; reads: [(value, begin, end)]. None, or a sentence that says what is wrong."""
    clusters = {}
    for value, (begin, end) in writes.items():
        clusters[value] = [end, begin, begin]  # least end, greatest begin, the write's begin
    for value, begin, end in reads:
        if value not in clusters:
            return f"{value!r} was read and never written"
        cluster = clusters[value]
        if end < cluster[2]:
            return f"{value!r} was read before it was written"
        cluster[0] = min(cluster[0], end)
        cluster[1] = max(cluster[1], begin)
    # A zone reaches from the least end to the greatest begin. Forward (end < begin): the value was certainly there all the
    # time. Backward: there is a moment at which all of it may have happened.
    forward = sorted((zone[0], zone[1], value) for value, zone in clusters.items() if zone[0] < zone[1])
    backward = sorted((zone[1], zone[0], value) for value, zone in clusters.items() if zone[0] >= zone[1])
    for one, next_one in zip(forward, forward[1:]):
        if next_one[0] < one[1]:
            return f"{one[2]!r} and {next_one[2]!r} were both there: each was seen after the other"
    at = 0
    for begin, end, value in backward:
        while at < len(forward) and forward[at][1] < begin:
            at += 1
        if at < len(forward) and forward[at][0] < begin and end < forward[at][1]:
            return f"{value!r} was written or read while {forward[at][2]!r} was certainly there"
    return None


LOOKS = ("read", "nobody", "page")


def search_fault(operations, initial, apply):
    """apply(state, operation) gives the state behind it, or None when its answer does not fit. States must be hashable.
    None, or the longest order that was found and what could not follow it."""
    operations = sorted(operations, key=lambda op: op.begin)
    everything = (1 << len(operations)) - 1
    tried = set()
    best = (0, None, [])
    stack = [(0, initial, ())]
    while stack:
        done, state, order = stack.pop()
        if done == everything:
            return None
        if (done, state) in tried:
            continue
        tried.add((done, state))
        left = [i for i in range(len(operations)) if not done >> i & 1]
        first_end = min(operations[i].end for i in left)
        # Only what began before everything else ended can come next.
        could = [i for i in left if operations[i].begin <= first_end]
        if first_end == NEVER:
            return None  # what is left need not have happened
        if len(order) >= best[0]:
            best = (len(order), state, [operations[i] for i in could], order)
        followed = [(i, apply(state, operations[i])) for i in could]
        # What only looked, fits here, and taught nothing new, need not be tried later.
        looked = [pair for pair in followed if pair[1] == state and operations[pair[0]].kind in LOOKS]
        for i, following in looked[:1] or reversed(followed):
            if following is not None:
                stack.append((done | 1 << i, following, order + (i,)))
    return ("no order fits; the longest began with\n    " +
            "\n    ".join(str(operations[i]) for i in best[3]) +
            f"\n  and left {best[1]}, after which none of these can come:\n    " + "\n    ".join(map(str, best[2])))


# ---- people: the sequential model of a few identifiers ----
#
# A state is a tuple of people, ordered by when their attribute was written last. A person is (identifiers, ids seen, value).

def people_apply(state, op):
    holders = [person for person in state if op.key & person[0]]
    others = tuple(person for person in state if not op.key & person[0])
    if op.kind == "record":  # any number of identifiers: all their people become one
        keys = op.key.union(*(person[0] for person in holders))
        ids = frozenset().union(*(person[1] for person in holders))
        return others + ((keys, ids, op.value),)
    if op.kind == "link":  # the same, and says nothing about the attribute: the newest of them stays
        if not holders:
            return ((op.key, frozenset(), None),) + state
        keys = op.key.union(*(person[0] for person in holders))
        ids = frozenset().union(*(person[1] for person in holders))
        at = state.index(holders[-1])
        rest = [(person, i) for i, person in enumerate(state) if person not in holders]
        return (tuple(person for person, i in rest if i < at) + ((keys, ids, holders[-1][2]),) +
                tuple(person for person, i in rest if i > at))
    if op.kind == "patch":
        return others + ((holders[0][0], holders[0][1], op.value),) if holders else None
    if op.kind == "erase":
        return others if holders else None
    if op.kind == "nobody":  # 404, to whatever was asked
        return None if holders else state
    if op.kind == "read":  # value: (id, attribute)
        number, value = op.value
        if not holders or holders[0][2] != value or any(number in person[1] for person in others):
            return None
        person = holders[0]
        return tuple((p[0], p[1] | {number}, p[2]) if p is person else p for p in state)
    if op.kind == "page":  # value: {(id, attribute)} of everybody there is
        return page_apply(state, op.value)
    raise ValueError(op.kind)


def page_apply(state, page):
    left = dict(page)
    unknown = []
    for person in state:
        known = [number for number in left if number in person[1]]
        if len(known) > 1 or (known and left[known[0]] != person[2]):
            return None
        if known:
            del left[known[0]]
        else:
            unknown.append(person)
    if sorted(map(str, left.values())) != sorted(str(person[2]) for person in unknown):
        return None
    learned = {}
    for number, value in left.items():
        who = [person for person in unknown if person[2] == value]
        if len(who) == 1:
            learned[who[0]] = number
    return tuple((p[0], p[1] | {learned[p]}, p[2]) if p in learned else p for p in state)


# ---- do the checkers notice? ----

def test_checkers():
    good = [({"a": (0, 1)}, [("a", 2, 3), ("a", 4, 5)]),
            ({"a": (0, 1), "b": (2, 9)}, [("a", 3, 4), ("b", 5, 6), ("b", 10, 11)]),
            ({"a": (0, 9), "b": (1, 8)}, [("b", 2, 3), ("a", 4, 5), ("a", 10, 11)]),
            ({"a": (0, 1), "b": (2, NEVER)}, [("a", 8, 9), ("b", 20, 21)]),
            ({"a": (0, 1), "b": (2, NEVER)}, [("a", 8, 9)])]
    bad = [({"a": (0, 1), "b": (2, 3)}, [("a", 4, 5)]),                        # stale
           ({"a": (0, 1), "b": (2, 9)}, [("b", 3, 4), ("a", 5, 6)]),           # back again
           ({"a": (0, 1), "b": (4, 5)}, [("b", 2, 3)]),                        # from the future
           ({"a": (0, 1)}, [("b", 2, 3)]),                                     # from nowhere
           ({"a": (0, 9), "b": (1, 8)}, [("b", 2, 3), ("a", 4, 5), ("b", 6, 7)])]
    for writes, reads in good:
        assert register_fault(writes, reads) is None, (writes, reads)
    for writes, reads in bad:
        assert register_fault(writes, reads) is not None, (writes, reads)

    def op(begin, end, kind, key, value=None):
        return Operation(begin, end, kind, frozenset(key.split()), value)
    good = [[op(0, 1, "record", "c", 1), op(2, 3, "record", "d", 2), op(4, 5, "link", "c d"), op(6, 7, "read", "c", (1, 2))],
            [op(0, 1, "record", "c", 1), op(2, 9, "erase", "c"), op(3, 4, "read", "c", (1, 1)), op(5, 6, "nobody", "c")],
            [op(0, 9, "record", "c", 1), op(0, 9, "record", "d", 2), op(0, 9, "link", "c d"), op(10, 11, "read", "d", (7, 1))],
            [op(0, 1, "record", "c", 1), op(2, 3, "erase", "c"), op(4, 5, "record", "c", 2), op(6, 7, "read", "c", (2, 2))],
            # The id belongs to d; a reader sees it at e because of the link. An impatient search takes it for e's own.
            [op(0, 9, "record", "d", 1), op(1, 2, "record", "e", 2), op(3, 9, "read", "e", (1, 2)),
             op(4, 5, "page", "", ((1, 1), (2, 2))), op(6, 7, "link", "d e")],
            [op(0, 1, "record", "c", 1), op(2, 3, "record", "d", 2), op(4, 9, "link", "c d"),
             op(5, 6, "page", "", ((1, 1), (2, 2))), op(7, 8, "page", "", ((1, 2),))]]
    bad = [[op(0, 1, "record", "c", 1), op(2, 3, "record", "d", 2), op(4, 5, "link", "c d"), op(6, 7, "read", "c", (1, 1))],
           [op(0, 1, "record", "c", 1), op(2, 9, "erase", "c"), op(3, 4, "nobody", "c"), op(5, 6, "read", "c", (1, 1))],
           [op(0, 1, "record", "c", 1), op(2, 3, "read", "c", (1, 1)), op(2, 3, "record", "d", 2),
            op(4, 5, "read", "d", (1, 2))],
           [op(0, 1, "record", "c d", 1), op(2, 3, "erase", "d"), op(4, 5, "read", "c", (1, 1))],
           [op(0, 1, "record", "c", 1), op(2, 3, "record", "d", 2), op(4, 9, "link", "c d"),
            op(5, 6, "page", "", ((1, 2),)), op(7, 8, "page", "", ((1, 2), (2, 2)))]]
    for history in good:
        assert search_fault(history, (), people_apply) is None, history
    for history in bad:
        assert search_fault(history, (), people_apply) is not None, history


if __name__ == "__main__":
    test_checkers()
