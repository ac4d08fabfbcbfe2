"""How the mixins of the EC2 backend stand to each other."""

from __future__ import annotations

from itertools import combinations
from types import FunctionType

from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import Backend


def clashes(whole: type, base: type) -> list[str]:
    """Names that two mixins define, neither of which inherits the other."""
    mixins = [each for each in whole.__mro__ if issubclass(each, base)]
    return [
        f"{name}: {one.__name__}, {other.__name__}"
        for one, other in combinations(mixins, 2)
        if not issubclass(one, other)
        for name in sorted(_names(one) & _names(other))
    ]


def _names(kind: type) -> set[str]:
    """Functions and properties; moto's metaclass adds a list to each class."""
    ours = (FunctionType, classmethod, property, staticmethod)
    return {name for name, value in vars(kind).items() if isinstance(value, ours)}


def test_the_order_of_the_mixins_decides_nothing() -> None:
    assert clashes(Backend, Base) == []


def test_a_name_that_two_mixins_define_is_named() -> None:
    class Root:
        def verb(self) -> None: ...

    class Left(Root):
        def verb(self) -> None: ...

    class Right(Root):
        def verb(self) -> None: ...

    class Whole(Left, Right): ...

    assert clashes(Whole, Root) == ["verb: Left, Right"]


def test_a_mixin_comes_before_all_that_it_inherits() -> None:
    """A super() call of ours reaches ours before it reaches moto's."""
    order = Backend.__mro__
    own = [each for each in order if issubclass(each, Base)]
    assert list(order[: len(own)]) == own
    assert own[-1] is Base
