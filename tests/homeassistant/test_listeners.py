"""Who listens may leave, or bring others, while all are told."""

from custom_components.openbk.helpers import Listeners


def test_nobody_is_skipped_where_one_leaves_and_who_has_left_is_told_no_more() -> None:
    listeners: Listeners[[int]] = Listeners()
    told: list[tuple[str, int]] = []

    def once(number: int) -> None:
        told.append(("once", number))
        leave()
        listeners.remove(last)

    def first(number: int) -> None:
        told.append(("first", number))

    def last(number: int) -> None:
        told.append(("last", number))

    leave = listeners.add(once)
    listeners.add(first)
    listeners.add(last)
    listeners.tell(1)
    listeners.tell(2)
    assert told == [("once", 1), ("first", 1), ("first", 2)]


def test_who_comes_while_others_are_told_is_told_the_next_time() -> None:
    listeners: Listeners[[]] = Listeners()
    told: list[str] = []

    def another() -> None:
        told.append("another")

    def bring() -> None:
        told.append("bring")
        listeners.add(another)
        leave()

    assert not listeners
    leave = listeners.add(bring)
    listeners.tell()
    assert told == ["bring"]
    listeners.tell()
    assert told == ["bring", "another"]
    assert listeners
